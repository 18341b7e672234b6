import { parseJson } from "../../facts/parse-json.ts";
import type { Principal } from "../identity/principal.ts";
import type { Effect } from "../policy/catalog.ts";
import { makeLinesVisible, makeVisible } from "./visible.ts";

/** The form of the text below. A change of form is a new number, so that old digests stay explicable. */
export const RENDERING = 1;

export interface Rendered {
  readonly platform: string;
  readonly tool: string;
  readonly effect: Effect;
  readonly region: string;
  readonly targetRegion?: string | undefined;
  /** RFC 8785 text. */
  readonly arguments: string;
  readonly requestedBy: Principal;
  readonly source?: { readonly platform: string; readonly chain: string } | undefined;
  readonly userRequest?: string | undefined;
  readonly rationale?: string | undefined;
}

/** Longer arguments are written on one line: indenting deep structures would multiply their size. */
const INDENTED_UP_TO = 16 * 1024;

/**
 * Exactly what an approver is shown, and what the digest binds. The same input gives the same text. Names are quoted, free
 * text is marked line by line, and invisible characters are escaped, so no value can imitate a line of this text.
 */
export function render(action: Rendered): string {
  const { requestedBy, source, targetRegion } = action;
  const lines = [
    `Countersign action, form ${RENDERING}`,
    `Tool: ${quoted(action.tool)} on ${quoted(action.platform)}, the platform in region ${quoted(action.region)}`,
    `Effect: ${action.effect}`,
    `Requested by: ${described(requestedBy)}`,
  ];
  for (let person = requestedBy.onBehalfOf; person !== undefined; person = person.onBehalfOf) {
    lines.push(`On behalf of: ${described(person)}`);
  }
  if (targetRegion !== undefined) lines.push(`Data goes to region: ${quoted(targetRegion)}`);
  if (source !== undefined) lines.push(`Data may come from: ${quoted(source.platform)}, chain ${source.chain}`);
  lines.push("Arguments:", block(indented(action.arguments)));
  if (action.userRequest !== undefined) lines.push("Asked for, as the agent reports it:", block(action.userRequest));
  if (action.rationale !== undefined) lines.push("Reason the agent gives:", block(action.rationale));
  return lines.join("\n");
}

function quoted(text: string): string {
  return makeVisible(JSON.stringify(text));
}

function described({ id, kind, displayName }: Principal): string {
  return displayName === undefined ? `${kind} ${quoted(id)}` : `${kind} ${quoted(id)} (${quoted(displayName)})`;
}

function block(text: string): string {
  return makeLinesVisible(text).replace(/^/gm, "  | ");
}

function indented(canonical: string): string {
  if (canonical.length > INDENTED_UP_TO) return canonical;
  return JSON.stringify(parseJson(canonical), undefined, 2);
}
