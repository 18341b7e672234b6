import type { EdgeColumns } from "../facts/edges.ts";
import { isSame } from "../facts/members.ts";
import { parseJson } from "../facts/parse-json.ts";

/** How the rows of edges that are stored for an entry differ from those that its body makes: `stored` is their JSON text, or null. */
export function edgeProblems(stored: string | null, expected: readonly EdgeColumns[]): readonly string[] {
  if (stored === null && expected.length === 0) return [];
  const rows = rowsOf(stored);
  if (rows.length !== expected.length) {
    return [`oc_lineage_edge has ${rows.length} rows of this entry, which records ${expected.length} edges`];
  }
  const wrong = expected.findIndex((edge, at) => !isSame([...edge], rows[at]));
  if (wrong === -1) return [];
  return [`oc_lineage_edge: row ${wrong + 1} of this entry is not the edge that it records`];
}

function rowsOf(stored: string | null) {
  const rows = stored === null ? [] : parseJson(stored);
  return Array.isArray(rows) ? rows : [];
}
