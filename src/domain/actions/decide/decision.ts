import { instant } from "../../../facts/entry.ts";
import { Erasable } from "../../../facts/erasable.ts";
import type { FactDraft } from "../../../facts/registry.ts";
import type { LentRight } from "../../directory/delegations.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Situation } from "../action.ts";
import { approverOf, asksRegion, escalates, type Manner } from "./approver.ts";
import type { Approve, Deny } from "./command.ts";
import { grantOf } from "./grant.ts";
import { isUnknown } from "./people.ts";
import { isMet } from "./quorum.ts";
import { delegatedBy, type Eligibility, eligibility } from "./rights.ts";
import { type NextState, type RefusedCommand, secondsAfter, type TransitionResult } from "./transition.ts";

/** One person's yes. The last one needed starts the life of the grant. */
export function approve(situation: Situation, command: Approve, now: Date): TransitionResult {
  const { state, terms, voters } = situation;
  const decider = eligibility(situation, command.by, now, "APPROVE", mannerOf(command));
  const refused = refuse(situation, command, decider);
  if (refused !== undefined) return refused;
  const unknown = isUnknown(situation, decider.as, voters);
  const vote = approverOf(terms, decider.as, now, mannerOf(command));
  const next: NextState = { version: state.version + 1, approvals: state.approvals + 1, status: "PENDING" };
  return {
    kind: "transition",
    next: isMet(terms.requirements, [...voters, { ...vote, isUnknown: unknown }])
      ? { ...next, status: "APPROVED", grant: { expiresAt: secondsAfter(now, command.grantTtl) } }
      : { ...next, expiresAt: state.expiresAt ?? undefined },
    fact: {
      type: "ACTION_APPROVED",
      decision: decisionFacts(command, { situation, now, lent: decider.lent }),
      identity: unknown ? "UNKNOWN" : undefined,
    },
    notAfter: state.expiresAt ?? undefined,
  };
}

/** One eligible person's no ends it, whatever approvals there are, until it is started. */
export function deny(situation: Situation, command: Deny, now: Date): TransitionResult {
  const { state } = situation;
  const decider = eligibility(situation, command.by, now, "DENY", mannerOf(command));
  const refused = refuse(situation, command, decider);
  if (refused !== undefined) return refused;
  return {
    kind: "transition",
    next: { version: state.version + 1, approvals: state.approvals, status: "DENIED", grant: grantOf(state) },
    fact: { type: "ACTION_DENIED", decision: decisionFacts(command, { situation, now, lent: decider.lent }) },
    notAfter: state.expiresAt ?? state.grantExpiresAt ?? undefined,
  };
}

function refuse(
  situation: Situation,
  command: Approve | Deny,
  { objections: [objection] }: Eligibility,
): RefusedCommand | undefined {
  if (objection !== undefined) return { kind: "refusal", recordedAs: "DECISION_REFUSED", ...objection };
  if (command.digest === situation.terms.digest) return undefined;
  const message = "the digest is not that of this action: look at the action as it is before deciding";
  return { kind: "refusal", recordedAs: "DECISION_REFUSED", code: "DIGEST_MISMATCH", message, path: ["digest"] };
}

/** A note that says nothing is none: it is not recorded. */
function says(note: string | undefined): note is string {
  return note !== undefined && note.trim() !== "";
}

/** What requirements can ask of a decision. */
function mannerOf({ assurance, note }: Approve | Deny): Manner {
  return { assurance, hasNote: says(note) };
}

/** A decision as an entry records it, taken or refused; `judged`: on what it was judged, and when. */
export function decisionFacts(
  { type, by, channel, assurance, submittedBy, note }: Approve | Deny,
  judged?: { readonly situation: Situation; readonly now: Date; readonly lent: LentRight | undefined },
): FactDraft<"ACTION_APPROVED">["decision"] {
  return {
    verdict: type === "approve" ? "APPROVE" : "DENY",
    channel,
    assurance,
    submittedBy: submittedBy && { id: submittedBy.id, kind: "SERVICE" },
    ...(judged === undefined ? {} : judgedFacts(by, judged.situation, judged.now)),
    note: says(note) ? new Erasable(note) : undefined,
    delegatedBy: delegatedBy(judged?.lent),
  };
}

function judgedFacts(by: Principal, { terms, firstShown }: Situation, now: Date) {
  return {
    region: asksRegion(terms) ? by.region : undefined,
    asOf: escalates(terms) ? instant(now) : undefined,
    firstShownAt: firstShown && instant(firstShown.at),
    firstShownBy: firstShown?.channel,
  };
}
