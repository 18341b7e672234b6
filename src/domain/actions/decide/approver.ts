import { type Assurance, reaches } from "../../../facts/assurance.ts";
import { instant } from "../../../facts/entry.ts";
import { type Approver, type AskedApproval, isAsked } from "../../../facts/quorum.ts";
import type { Principal } from "../../identity/principal.ts";
import type { Terms } from "../action.ts";

/** How somebody approves: what requirements can ask for beside who it is. */
export interface Manner {
  readonly assurance?: Assurance | undefined;
  readonly hasNote?: boolean;
}

type Asking = Pick<Terms, "requestedBy" | "requirements">;

/** Whether `by` is the person for whom an agent proposed, with the account that the agent acts for. Nobody proposes for themselves. */
export function isBehind({ requestedBy }: Pick<Terms, "requestedBy">, by: Principal): boolean {
  const { kind, onBehalfOf: person } = requestedBy;
  if (kind !== "AGENT" || person?.kind !== "HUMAN" || by.kind !== "HUMAN" || by.onBehalfOf !== undefined) return false;
  return by.id === person.id && by.id !== requestedBy.id;
}

/** Whether `by` is the person for whom an agent proposed, and a requirement lets that person approve. */
export function confirmsAsOwner(terms: Asking, by: Principal): boolean {
  return isBehind(terms, by) && terms.requirements.some((one) => isAsked(one, { ...by, isBehind: true }));
}

/** `by` as an approver of the action at `now`. */
export function approverOf<By extends Principal>(terms: Asking, by: By, now: Date, manner: Manner = {}): By & Approver {
  return { ...by, ...manner, at: escalates(terms) ? instant(now) : undefined, isBehind: isBehind(terms, by) };
}

/** Whether it depends on the time who may approve. */
export function escalates({ requirements }: Pick<Terms, "requirements">): boolean {
  return requirements.some(({ escalation }) => escalation !== undefined);
}

/** Whether it depends on where somebody is whether they may approve. */
export function asksRegion({ requirements }: Pick<Terms, "requirements">): boolean {
  return requirements.some(({ approver = [] }) => approver.some(({ regions }) => regions !== undefined));
}

/** The least that one of the requirements which ask `one` wants of an approval, where theirs is not enough for any. */
export function tooLow(requirements: readonly AskedApproval[], one: Approver): Assurance | undefined {
  const wanted = requirements.filter((requirement) => isAsked(requirement, one)).map(({ assurance }) => assurance);
  const given = one.assurance ?? "SESSION";
  return wanted
    .filter((assurance) => assurance !== undefined && !reaches(given, assurance))
    .reduce((least, other) => (least === undefined || (other && reaches(least, other)) ? other : least), undefined);
}

/** What to do about a decision that is not sure enough; the end of a sentence. */
export function howToReach(asked: Assurance): string {
  if (reaches("SESSION", asked)) return "decide in the API or the console, and not in a chat";
  const by = asked === "MFA" ? "with a second factor" : "with a hardware key or a smart card that you touch or unlock";
  return `sign in again ${by}, so that your identity provider says so (amr or acr), and decide then`;
}
