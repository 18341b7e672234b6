import { randomBytes } from "node:crypto";
import type { ClientBase } from "pg";
import type { ConnectionSettings } from "../../db/same-connection.ts";
import type { LedgerId } from "../../facts/entry.ts";
import type { FactKey } from "../../facts/signature.ts";
import { combine, EMPTY_DIGEST } from "../../verify/digest.ts";
import { digestRows } from "../../verify/elements.ts";
import { missingProblems } from "../../verify/erasure.ts";
import { createIdSet } from "../../verify/ids.ts";
import type { ErasedValue } from "../../verify/rules.ts";
import type { Range } from "../../verify/sequence.ts";
import type { LedgerProblem } from "../../verify/verdict.ts";
import { sha256 } from "./check-piece.ts";
import { RANGE_SIZE, THREADLESS_SIZE } from "./limits.ts";
import { cut } from "./pieces.ts";
import { type Runner, startHere, startThread } from "./runner.ts";
import { type StateCursor, toStateRow } from "./states.ts";

export type OnProgress = (progress: { readonly checked: bigint; readonly total: bigint }) => void;

/** The runners that check the pieces of a range. */
export interface Crew {
  /** Keys that verify signatures. */
  readonly keys: readonly FactKey[];
  readonly runners: readonly Runner[];
  close(): Promise<void>;
}

/**
 * Starts at most `workers` threads for a range. A small range is checked in this thread on `client`, which must then be used
 * between two pieces only.
 */
export function startCrew(
  client: ClientBase,
  settings: ConnectionSettings,
  range: Range,
  { workers, keys }: { readonly workers: number; readonly keys: readonly FactKey[] },
): Crew {
  const total = range.to - range.from + 1n;
  const pieces = Number((total + RANGE_SIZE - 1n) / RANGE_SIZE);
  const runners =
    total <= THREADLESS_SIZE
      ? [startHere(client)]
      : Array.from({ length: Math.min(workers, pieces) }, () => startThread(settings));
  return {
    keys,
    runners,
    async close() {
      await Promise.all(runners.map((runner) => runner.close()));
    },
  };
}

export interface Swept {
  readonly entries: bigint;
  readonly problems: readonly LedgerProblem[];
}

/** Who checks a range, and how many problems each piece of it names at most. */
export interface Sweep extends Pick<Crew, "runners" | "keys"> {
  readonly limit: number;
}

/** Checks all entries of a range, and all state rows that list one of them. */
export async function sweep(
  crew: Sweep,
  ledger: LedgerId,
  range: Range,
  cursor: StateCursor,
  onProgress?: OnProgress,
): Promise<Swept> {
  const quick = await pass(crew, ledger, range, cursor, false, onProgress);
  if (quick.digest === EMPTY_DIGEST) return quick;
  // Entries and state rows disagree: the thorough pass compares each one.
  await cursor.rewind();
  const thorough = await pass(crew, ledger, range, cursor, true);
  const problems = [...quick.problems, ...thorough.problems];
  if (problems.length > 0 || thorough.damaged) return { entries: quick.entries, problems };
  const detail = `entries and state rows of positions ${range.from} to ${range.to} disagree, and the position cannot be determined`;
  return { entries: quick.entries, problems: [{ verdict: "UNVERIFIABLE", seq: range.from, detail }] };
}

/** What the pieces report of values that are not stored: empty unless a type can order erasures. */
interface Erasures {
  readonly missing: ErasedValue[];
  readonly erased: ErasedValue[];
}

interface Passed extends Swept {
  readonly damaged: boolean;
  readonly digest: string;
}

async function pass(
  { runners, keys, limit }: Sweep,
  ledger: LedgerId,
  range: Range,
  cursor: StateCursor,
  thorough: boolean,
  onProgress?: OnProgress,
): Promise<Passed> {
  const digestKey = randomBytes(16).toString("hex");
  const sum = { entries: 0n, positions: 0n, damaged: false, digest: EMPTY_DIGEST, problems: [] as LedgerProblem[] };
  const ids = createIdSet(limit);
  const erasures: Erasures = { missing: [], erased: [] };
  const pieces = cut(range, cursor, (states) => {
    sum.digest = combine(sum.digest, digestRows(states.map(toStateRow), range, digestKey, sha256));
  });
  const work = async (runner: Runner) => {
    let next = pieces.next();
    for (let taken = await next; !taken.done; taken = await next) {
      const { piece, states } = taken.value;
      const task = { ledger, range, piece, states, digestKey, keys, limit, thorough };
      const running = runner.run(task);
      // A thread does not wait for the state rows of its next piece: they are read while it is at this one.
      if (runner.apart) next = ahead(pieces.next());
      const result = await running;
      if (!runner.apart) next = pieces.next();
      sum.entries += BigInt(result.entries);
      sum.positions += piece.to - piece.from + 1n;
      sum.damaged ||= result.damaged;
      sum.digest = combine(sum.digest, result.digest);
      sum.problems.push(...result.problems);
      ids.add(result.ids);
      for (const value of result.missing) erasures.missing.push(value);
      for (const value of result.erased) erasures.erased.push(value);
      onProgress?.({ checked: sum.positions, total: range.to - range.from + 1n });
    }
  };
  // The first failure rejects the whole pass; closing the crew ends the other runners.
  await Promise.all(runners.map(work));
  const repeated = ids.repeated.map(({ seq, id }): LedgerProblem => {
    return { verdict: "RULE_BROKEN", seq, detail: `an earlier entry has the id ${id}` };
  });
  const missing = missingProblems(erasures.missing, erasures.erased);
  return { ...sum, problems: [...sum.problems, ...repeated, ...missing] };
}

/** A promise that is awaited later, or not at all when something else fails before. */
function ahead<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}
