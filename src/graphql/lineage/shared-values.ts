import { toldEdgesIn } from "../../domain/lineage/sources/told.ts";
import { leafPaths } from "../../domain/lineage/values/leaf-paths.ts";
import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import { Withheld } from "../../facts/payload.ts";
import type { Context } from "../base/context.ts";
import { type EntryNode, entryOf, revealed } from "../base/rows.ts";
import { readPositions, recordingEntries, seesEntry } from "../ledger/reads.ts";

/** What observed edges share with the arguments, in their order, for those who may read these; of what was read, where it is, for those who may read that. */
export async function sharedValues(
  context: Context,
  evidence: JsonValue | Withheld | undefined,
): Promise<readonly (JsonValue | undefined)[]> {
  const all = evidence instanceof Withheld ? [] : toldEdgesIn(evidence);
  const positions = all.flatMap(({ completed, shared = [] }) =>
    completed !== undefined && shared.some((one) => numberOf(one) !== undefined) ? [BigInt(completed)] : [],
  );
  if (positions.length === 0) return all.map(({ shared }) => shared as JsonValue | undefined);
  const rows = await readPositions(context, positions);
  const seen = await Promise.all(rows.map((row) => seesEntry(context, row)));
  const shown = rows.filter((_, at) => seen[at]);
  // A path has names of what was read.
  await recordingEntries(context, "lineageEdge.evidence", shown);
  const byPosition = new Map(shown.map((row) => [String(row.seq), row]));
  return all.map(({ completed = "", shared }) => shared && withPaths(shared, byPosition.get(completed)));
}

function withPaths(shared: readonly JsonObject[], row: EntryNode | undefined): JsonValue {
  const result = row && revealed(entryOf(row), "result");
  if (result === undefined || result instanceof Withheld) return shared as JsonValue;
  const numbers = shared.flatMap((one) => numberOf(one) ?? []);
  const paths = leafPaths(result, new Set(numbers));
  return shared.map((one) => {
    const sourcePath = paths.get(numberOf(one) ?? 0);
    return sourcePath === undefined ? one : { ...one, sourcePath };
  });
}

function numberOf({ leaf }: JsonObject): number | undefined {
  return typeof leaf === "number" ? leaf : undefined;
}
