import { canonicalize, type JsonValue } from "../../../facts/canonical.ts";
import type { LedgerEntry } from "../../../facts/entry.ts";
import { valueAt, Withheld } from "../../../facts/payload.ts";
import { sameCaller } from "../../identity/people.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Proposal } from "../input.ts";
import { alteredContent } from "../loading/content.ts";
import { termsOf } from "../terms.ts";

/**
 * Whether `proposal` by `principal` equals the proposal in `recorded`. A value that is missing cannot be
 * compared and is taken as the same: what was proposed is then known by its digest alone. Throws LedgerUnavailableError for
 * one that was altered.
 */
export function isSameProposal(recorded: LedgerEntry, principal: Principal, proposal: Proposal): boolean {
  const { body } = recorded;
  const plain: readonly (readonly [JsonValue | undefined, string | undefined])[] = [
    [body.platform, proposal.platform],
    [body.tool, proposal.tool],
    [body.conversation, proposal.conversationId],
    [body.targetRegion, proposal.targetRegion],
    [body.supersedes, proposal.supersedes],
  ];
  const erasable = (name: string, text: string | undefined) => {
    if (text === undefined) return body[name] === undefined;
    const stored = valueAt(recorded, name);
    if (!(stored instanceof Withheld)) return stored !== undefined && canonicalize(stored) === text;
    if (stored.problem === "ALTERED") throw alteredContent(recorded);
    return true;
  };
  return (
    plain.every(([was, is]) => was === is) &&
    sameCaller(termsOf(recorded).requestedBy, principal) &&
    erasable("arguments", proposal.arguments.text) &&
    erasable("userRequest", canonicalText(proposal.userRequest)) &&
    erasable("rationale", canonicalText(proposal.rationale))
  );
}

/** An empty text is one: only undefined is none. */
function canonicalText(text: string | undefined): string | undefined {
  return text === undefined ? undefined : canonicalize(text);
}
