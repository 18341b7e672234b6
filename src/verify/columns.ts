import type { JsonObject, JsonValue } from "../facts/canonical.ts";
import { memberOf, SEARCH_COLUMNS } from "./rows.ts";

/** As a text column has it; an object or a list has no such form. */
function textOf(value: JsonValue | undefined): string | null {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}

/** As a column of UUIDs has it. */
function uuidOf(value: JsonValue | undefined): string | null {
  return typeof value === "string" ? value.toLowerCase() : null;
}

/** The correct search columns of an entry, in the order of SEARCH_COLUMNS. */
export function columnsOf(recordedAt: string, body: JsonObject): readonly (string | null)[] {
  const { states } = body;
  return [
    recordedAt,
    uuidOf(body.id),
    textOf(body.type),
    textOf(memberOf(body.actor, "id")),
    textOf(memberOf(body.onBehalfOf, "id")),
    uuidOf(body.session),
    uuidOf(body.action),
    Array.isArray(states) ? textOf(memberOf(states[0] as JsonValue, "version")) : null,
    textOf(body.platform),
    textOf(body.tool),
    textOf(body.effect),
    uuidOf(body.chain),
    uuidOf(body.sourceChain),
  ];
}

/** Calls `complain` for each search column that disagrees with the bytes. */
export function checkColumns(
  columns: readonly (string | null)[],
  recordedAt: string,
  body: JsonObject,
  complain: (detail: string) => void,
): void {
  const expected = columnsOf(recordedAt, body);
  for (let at = 0; at < SEARCH_COLUMNS.length; at++) {
    if (columns[at] === expected[at]) continue;
    complain(
      `column ${SEARCH_COLUMNS[at]} is ${columns[at] ?? "nothing"}, in the bytes it is ${expected[at] ?? "nothing"}`,
    );
  }
}
