import { BREAK_GLASS_ROLE } from "../../../facts/areas/break-glass.ts";
import { OWN_PLATFORM } from "../../../facts/areas/policy.ts";
import { factOfType } from "../../../facts/decode.ts";
import type { LedgerEntry, LedgerId } from "../../../facts/entry.ts";
import { mayConfirm, suffices } from "../../../facts/quorum.ts";
import type { StateOf } from "../../../facts/registry.ts";
import { LedgerDamagedError } from "../../../ledger/errors.ts";
import { provenEntry, provenState, provenVersion, type StoredState } from "../../../ledger/proof.ts";
import type { EntryRow } from "../../../ledger/read.ts";
import type { IsSigned } from "../../../ledger/signatures/check.ts";
import { sharePerson } from "../../identity/people.ts";
import { actorOf } from "../../identity/recorded.ts";
import type { ActionState, ActionView, Situation, Voter } from "../action.ts";
import { isOver } from "../decide/eligibility.ts";
import { isMet } from "../decide/quorum.ts";
import { termsOf } from "../terms.ts";
import { voterOf } from "./store.ts";

/** An action as its entries say it is. */
export interface Proven {
  readonly view: ActionView;
  readonly situation: Situation;
}

/** A row of an action, with the positions of its entries, and who proposed it by its columns. */
export interface StoredAction extends StoredState {
  readonly entries: readonly string[];
  readonly actor_id: string | null;
  readonly on_behalf_of_id: string | null;
  readonly conversation: string;
}

type State = StateOf<"ACTION">;

/**
 * An action from its entries, which `rows` has: the proposal, the latest one, and those before the first grant while the action may
 * still start. The bytes are hashed again, and what lets an action start is judged again: the signed proposal with the policy's
 * outcome, or approvals of enough people who may decide, each in time and signed. Throws LedgerDamagedError when the row, or an
 * entry, disagrees.
 */
export function provenAction(
  ledger: LedgerId,
  stored: StoredAction,
  rows: readonly EntryRow[],
  isSigned: IsSigned,
): Proven {
  const entries = new Map(rows.map((row) => [row.seq, provenEntry(ledger, row)]));
  const { id, version } = stored;
  const fault = (what: string) => new LedgerDamagedError(ledger, `the row of ACTION ${id} in oc_state ${what}`);
  if (stored.entries.length !== version || stored.entries.at(-1) !== stored.updated_seq) {
    throw fault("does not name an entry for each version");
  }
  if (stored.entries[0] !== stored.first_seq) throw fault("does not name its proposal");
  const latest = entries.get(stored.updated_seq);
  const item = provenState(ledger, "ACTION", stored, latest);
  const proposal = entries.get(stored.first_seq);
  const proposed = provenVersion(ledger, proposal, "ACTION", { id, version: 1 });
  // Both are there: the two lines before throw otherwise.
  if (proposal === undefined || latest === undefined || proposal.type !== "ACTION_PROPOSED") {
    throw fault("names another entry than its proposal");
  }
  if (!isOfProposer(stored, proposal)) throw fault("names another agent, person or conversation than its proposal");
  if (mayStillStart(item) && !isSigned(proposal)) throw fault("names a proposal that no server signed");
  if (item.state.status === "PENDING" && version !== 1 + item.state.approvals) {
    throw fault("says PENDING, and has other entries than its proposal and approvals");
  }
  const state = toState(ledger, stored, item, proposal);
  const voters = mayStillStart(item)
    ? provenVoters(
        ledger,
        proposal,
        proposed,
        stored.entries.slice(1, 1 + item.state.approvals).map((seq) => entries.get(seq)),
        isSigned,
      )
    : [];
  const terms = termsOf(proposal);
  const alone = entries.get(stored.entries[1 + item.state.approvals] ?? "");
  const brokenGlass =
    item.state.status === "APPROVED"
      ? provenBreaker(ledger, proposal, item.state.approvals, alone, isSigned)
      : undefined;
  if (item.state.status === "APPROVED" && brokenGlass === undefined && !isMet(terms.requirements, voters)) {
    throw fault("says APPROVED, and its entries do not have the approvals that its policy requires");
  }
  if (item.state.status === "ALLOWED" && factOfType(proposal, "ACTION_PROPOSED").policy.outcome !== "PERMIT") {
    throw fault("says ALLOWED, and its policy did not permit it");
  }
  if ((item.state.status === "ALLOWED" || item.state.status === "APPROVED") && !isSigned(latest)) {
    throw fault(`says ${item.state.status}, and no server signed entry ${latest.seq}, which says so`);
  }
  const pending = item.state.status === "PENDING" && voters.length > 0;
  return {
    view: { state, proposal, ...(pending ? { voters } : {}) },
    situation: { state, terms, voters, brokenGlass, updatedAt: new Date(latest.recordedAt) },
  };
}

function isOfProposer(stored: StoredAction, proposal: LedgerEntry): boolean {
  const { actor, onBehalfOf, conversation = "" } = factOfType(proposal, "ACTION_PROPOSED");
  return (
    stored.actor_id === actor.id &&
    stored.on_behalf_of_id === (onBehalfOf?.id ?? null) &&
    stored.conversation === conversation
  );
}

function mayStillStart({ state }: State): boolean {
  return state.status === "PENDING" || state.status === "ALLOWED" || state.status === "APPROVED";
}

/** Who approved alone by `entry`, the one that follows the approvals; undefined where it does something else. */
function provenBreaker(
  ledger: LedgerId,
  proposal: LedgerEntry,
  approvals: number,
  entry: LedgerEntry | undefined,
  isSigned: IsSigned,
): Voter | undefined {
  if (entry?.type !== "ACTION_BROKEN_GLASS") return undefined;
  const { actionId: id, digest, platform, requestedBy } = termsOf(proposal);
  const { state } = provenVersion(ledger, entry, "ACTION", { id, version: 2 + approvals });
  const by = actorOf(entry);
  const may = by.kind === "HUMAN" && by.roles.includes(BREAK_GLASS_ROLE) && !sharePerson(by, requestedBy);
  if (
    !may ||
    !isSigned(entry) ||
    state.status !== "APPROVED" ||
    platform === OWN_PLATFORM ||
    entry.body.digest !== digest
  ) {
    throw new LedgerDamagedError(ledger, `entry ${entry.seq} approves alone, and is not by somebody who could`);
  }
  return { ...by, seq: entry.seq, isUnknown: false };
}

/** Who approved, in the order in which they did. `approvals` are the entries after the proposal. */
function provenVoters(
  ledger: LedgerId,
  proposal: LedgerEntry,
  proposed: State,
  approvals: readonly (LedgerEntry | undefined)[],
  isSigned: IsSigned,
): readonly Voter[] {
  const { requestedBy, digest, requirements } = termsOf(proposal);
  const voters: Voter[] = [];
  let before = proposed;
  for (const entry of approvals) {
    const version = before.version + 1;
    const item = provenVersion(ledger, entry, "ACTION", { id: proposed.id, version });
    const fault = (what: string) => new LedgerDamagedError(ledger, `entry ${entry?.seq} ${what}`);
    if (entry?.type !== "ACTION_APPROVED") throw fault("is counted as an approval, and is none");
    if (!isSigned(entry)) throw fault("is an approval that no server signed");
    if (before.state.status !== "PENDING") throw fault("approves an action that was not pending");
    const { expiresAt } = before.state;
    if (isOver(expiresAt === undefined ? null : new Date(expiresAt), new Date(entry.recordedAt))) {
      throw fault("approves an action after its deadline");
    }
    const voter = voterOf(proposal, entry);
    if (
      voter.kind !== "HUMAN" ||
      voters.some((other) => sharePerson(other, voter)) ||
      (sharePerson(voter, requestedBy) &&
        voter.isBehind !== true &&
        (voter.delegatedBy !== undefined || !mayConfirm(requirements, voter, entry.recordedAt))) ||
      (voter.at !== undefined && voter.at > entry.recordedAt) ||
      !requirements.some((one) => suffices(one, voter))
    ) {
      throw fault("is an approval of somebody who could not approve");
    }
    if (entry.body.digest !== digest) throw fault("approves another digest than was proposed");
    voters.push(voter);
    before = item;
  }
  return voters;
}

function toState(
  ledger: LedgerId,
  stored: StoredAction,
  { id, version, state }: State,
  proposal: LedgerEntry,
): ActionState {
  const { status, approvals, expiresAt, startedAt, grant } = state;
  return {
    ledger,
    id,
    version,
    status,
    agentId: actorOf(proposal).id,
    approvals,
    expiresAt: expiresAt === undefined ? null : new Date(expiresAt),
    startedAt: startedAt === undefined ? null : new Date(startedAt),
    grantId: grant?.id ?? null,
    grantHash: grant?.hash === undefined ? null : Buffer.from(grant.hash, "hex"),
    grantExpiresAt: grant === undefined ? null : new Date(grant.expiresAt),
    proposedSeq: proposal.seq,
    updatedSeq: BigInt(stored.updated_seq),
    entries: stored.entries.map(BigInt),
  };
}
