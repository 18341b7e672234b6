import { parseJson } from "../../facts/parse-json.ts";
import type { Principal } from "../identity/principal.ts";
import type { Effect } from "../policy/catalog.ts";
import { labelled, type Words } from "./rendering/labelled.ts";
import { type RenderedSources, sourceLines } from "./rendering/sources.ts";
import { quoted, textLines, valueLines } from "./rendering/values.ts";

/** The form of the text below. A change of form is a new number, so that old digests stay explicable. */
const RENDERING = 3;

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
  /** Where its arguments are from; undefined: nothing was looked up. */
  readonly sources?: RenderedSources | undefined;
  readonly userRequest?: string | undefined;
  readonly rationale?: string | undefined;
}

const MARKS = "What is in ⟨⟩ is a mark: it stands for what could not be seen, or for how much is not shown.";

/**
 * Exactly what an approver is shown, and what the digest binds. The same input gives the same text. Names are quoted, lines
 * of values have a prefix, and what a reader could not see or not tell from something else is marked, so no value can imitate
 * a line of this text or another value. Lines have at most 100 columns, the text at most 600,000 characters.
 */
export function render(action: Rendered): string {
  const { platform, tool, region, requestedBy, source, targetRegion } = action;
  const lines = [
    ...labelled(["Tool: ", quoted(tool), " on ", quoted(platform), ", the platform in region ", quoted(region)]),
    `Effect: ${action.effect}`,
    ...labelled(["Requested by: ", ...described(requestedBy)]),
  ];
  for (let person = requestedBy.onBehalfOf; person !== undefined; person = person.onBehalfOf) {
    lines.push(...labelled(["On behalf of: ", ...described(person)]));
  }
  if (targetRegion !== undefined) lines.push(...labelled(["Data goes to region: ", quoted(targetRegion)]));
  if (source !== undefined) {
    lines.push(...labelled(["Data may come from: ", quoted(source.platform), `, chain ${source.chain}`]));
  }
  lines.push("Arguments:", ...valueLines(parseJson(action.arguments)));
  if (action.sources !== undefined) lines.push(...sourceLines(action.sources));
  if (action.userRequest !== undefined) {
    lines.push("Asked for, as the agent reports it:", ...textLines(action.userRequest));
  }
  if (action.rationale !== undefined) lines.push("Reason the agent gives:", ...textLines(action.rationale));
  const isMarked = lines.some((line) => line.includes("⟨"));
  return [`Countersign action, form ${RENDERING}`, ...(isMarked ? [MARKS] : []), ...lines].join("\n");
}

function described({ id, kind, displayName }: Principal): Words {
  return displayName === undefined
    ? [`${kind} `, quoted(id)]
    : [`${kind} `, quoted(id), " (", quoted(displayName), ")"];
}
