import type { ErasedValue } from "./rules.ts";
import type { LedgerProblem } from "./verdict.ts";

export function missingProblem(seq: bigint, paths: readonly string[]): LedgerProblem {
  const detail = `no value is stored for ${paths.join(", ")}, and no entry ordered its erasure. Restore it from a backup`;
  return { verdict: "PAYLOAD_MISSING", seq, detail };
}

/** The problems of values that are not stored, except those that were ordered to be erased. */
export function missingProblems(missing: readonly ErasedValue[], erased: readonly ErasedValue[]): LedgerProblem[] {
  const ordered = new Set(erased.map(keyOf));
  const unordered = missing.filter((value) => !ordered.has(keyOf(value)));
  return [...Map.groupBy(unordered, ({ seq }) => seq)].map(([seq, values]) =>
    missingProblem(
      BigInt(seq),
      values.map(({ path }) => path),
    ),
  );
}

const keyOf = ({ seq, path }: ErasedValue) => `${seq} ${path}`;
