import type { JsonValue } from "../../facts/canonical.ts";
import { ledgerOf } from "../../facts/entry.ts";
import { newId } from "../../facts/random.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { IsSigned } from "../../ledger/signatures/check.ts";
import { createCommit } from "../commit.ts";
import { createCommitTogether } from "../commit-together.ts";
import type { Lending } from "../directory/delegations.ts";
import type { PrincipalStatus } from "../directory/directory.ts";
import type { KnownPeople } from "../directory/known-people.ts";
import type { Reach } from "../directory/reach.ts";
import type { Keys } from "../identity/keys.ts";
import { PEOPLE_AS_TOLD } from "../identity/people.ts";
import type { Caller } from "../identity/principal.ts";
import { createDatabaseClock } from "../lineage/database-clock.ts";
import { createFingerprintMaker, type FingerprintMaker } from "../lineage/fingerprints/apart.ts";
import { createPossibleReads, type FindReads } from "../lineage/possible-reads.ts";
import { createRouting } from "../lineage/routing.ts";
import { createFindOrigins } from "../lineage/sources/origins.ts";
import { createRecentReads } from "../lineage/sources/recent-reads.ts";
import { createFingerprintKeys, createReadRecorder } from "../lineage/sources/recorder.ts";
import { createTryPolicy, type TryPolicy } from "../policy/apart.ts";
import type { Policy } from "../policy/evaluate.ts";
import { createPolicies, type Policies } from "../policy/policies.ts";
import type { Refusals } from "../refusals/refusals.ts";
import { nowhere } from "../regions/errors.ts";
import { type Attribution, createAttribution } from "../sessions/attribution.ts";
import { mayUseRegion } from "../visibility/regions.ts";
import type { ActionView } from "./action.ts";
import { actionIdOf } from "./action-id.ts";
import { createBreakGlassReview, type ReviewInput } from "./break-glass-review.ts";
import { confirmsAsOwner } from "./decide/approver.ts";
import type { Channel, FollowUp, Outcome } from "./decide/command.ts";
import { peopleCompared } from "./decide/people.ts";
import { eligibility } from "./decide/rights.ts";
import type { NextState } from "./decide/transition.ts";
import { createBatchDecider, type DecideOutcome, decisionCommand, type JointDecision } from "./decide-together.ts";
import { ActionRefusal, invalidInput, notFound } from "./errors.ts";
import { type ActionResult, createExecutor } from "./executor.ts";
import { createExplainer, type Explainer } from "./explain.ts";
import { claimedAction, createGrants } from "./grants.ts";
import { homePositionOf } from "./home-position.ts";
import {
  canonicalJson,
  checkProposal,
  checkReason,
  checkText,
  MAX_NOTE,
  MAX_TEXT,
  type ProposeInput,
} from "./input.ts";
import { contentProblem } from "./loading/content.ts";
import { createFirstShown } from "./loading/first-shown.ts";
import type { Loaded } from "./loading/load.ts";
import { createActionLoader } from "./loading/loader.ts";
import { createBeginning } from "./proposing/beginning.ts";
import { createFindEarlier } from "./proposing/earlier.ts";
import { type Abroad, createHomeRecord } from "./proposing/home-record.ts";
import {
  createProposalEntries,
  type IssuedGrant,
  type OwnProposal,
  type ProposeResult,
} from "./proposing/proposal-entry.ts";
import { createProposer } from "./proposing/propose.ts";
import { createBatchProposer, type ProposeOutcome } from "./proposing/propose-together.ts";
import { createQueues } from "./proposing/queues.ts";
import { createLookUpSources } from "./proposing/sources.ts";
import { createSupersede } from "./proposing/supersede.ts";
import { createWindowReader } from "./proposing/windows.ts";
import { type DueSettled, settleDue } from "./settle-due.ts";
import { termsOf } from "./terms.ts";
import { createJudge } from "./today.ts";
import { createVoidApprovals } from "./void-approvals.ts";

export type { ActionResult } from "./executor.ts";
export type { ProposeInput } from "./input.ts";
export type { IssuedGrant, OwnProposal, ProposeResult } from "./proposing/proposal-entry.ts";

export interface DecisionInput {
  readonly actionId: string;
  /** The digest of what the approver was shown. */
  readonly digest: string;
  readonly note?: string | undefined;
  readonly channel: Channel;
}

export interface ResolveInput {
  readonly actionId: string;
  readonly outcome: Outcome;
  readonly note: string;
}

export interface CompleteInput {
  readonly actionId: string;
  readonly outcome: Outcome;
  readonly result?: JsonValue | undefined;
  readonly error?: string | undefined;
}

/**
 * Governed actions, for one process. Expected refusals are thrown as ActionRefusal; LedgerUnavailableError means that
 * nothing happened. Everything happens in the ledger of the caller's organization, so nothing of another one is found.
 */
export interface Actions extends Explainer {
  propose(caller: Caller, input: ProposeInput): Promise<ProposeResult>;
  /**
   * Proposes several actions, at most 100, in one transaction. Returns the result or the refusal of each input, in order.
   * Throws when there is neither of one of them; repeating the call then returns what was recorded and records the rest.
   */
  proposeTogether(caller: Caller, inputs: readonly ProposeInput[]): Promise<readonly ProposeOutcome[]>;
  /** What a call recorded here that proposed with the same key; undefined: none did. Throws ActionRefusal where it proposed anything else. */
  repeated(caller: Caller, input: ProposeInput): Promise<ProposeResult | undefined>;
  /** Proposes what the server itself carries out, in the transaction that approves it. */
  proposeOwn(caller: Caller, input: ProposeInput, own: OwnProposal): Promise<ProposeResult>;
  approve(caller: Caller, input: DecisionInput): Promise<ActionResult>;
  deny(caller: Caller, input: DecisionInput): Promise<ActionResult>;
  /**
   * Decides several actions, at most 100, as if each were approved or denied after the one before it, and records that in one
   * transaction, but for refusals and further decisions on the same action. Returns the result or the refusal of each, in order.
   */
  decideTogether(caller: Caller, decisions: readonly JointDecision[]): Promise<readonly DecideOutcome[]>;
  /** Approves alone what would need more people, by a person with the role for that. It has to be looked into by another. */
  breakGlass(
    caller: Caller,
    input: { readonly actionId: string; readonly digest: string; readonly reason: string; readonly channel: Channel },
  ): Promise<ActionResult>;
  /** What another person says of that. */
  reviewBreakGlass(caller: Caller, input: ReviewInput): Promise<ActionResult>;
  /** Takes back an approval of an action that was not started; it is DENIED then. */
  revokeApproval(caller: Caller, input: { readonly actionId: string; readonly note: string }): Promise<ActionResult>;
  cancel(
    caller: Caller,
    input: { readonly actionId: string; readonly note?: string | undefined },
  ): Promise<ActionResult>;
  claimGrant(
    caller: Caller,
    input: { readonly actionId: string },
  ): Promise<ActionResult & { readonly grant: IssuedGrant }>;
  redeemGrant(caller: Caller, input: { readonly token: string; readonly digest: string }): Promise<ActionResult>;
  complete(caller: Caller, input: CompleteInput): Promise<ActionResult>;
  /** The outcome of an AMBIGUOUS action, by a human administrator. */
  resolve(caller: Caller, input: ResolveInput): Promise<ActionResult>;
  /** Moves the deadline of an EXECUTING action to `seconds` from now. */
  extend(caller: Caller, input: { readonly actionId: string; readonly seconds: number }): Promise<ActionResult>;
  /**
   * Voids the approvals of a person who was suspended, and those in their place, of all actions that were not started. Until then, and where that fails, claiming
   * and redeeming are refused for it.
   */
  voidApprovals(caller: Caller, principalId: string): Promise<void>;
  /** undefined when the caller's organization has no such action. */
  load(caller: Caller, actionId: string): Promise<ActionView | undefined>;
  /**
   * Codes of all reasons why `by` cannot approve, most important first; empty when they can. Of a sealed view by what it has:
   * there may be more. Throws LedgerUnavailableError.
   */
  blockedBecause(view: ActionView, by: Pick<Caller, "principal" | "assurance">): Promise<readonly string[]>;
  /** Remembers when somebody who may come to decide on an action that waits was first shown it, for their decision. */
  noteShown(caller: Caller, view: ActionView, channel: Channel): void;
  /** Expires and marks ambiguous what is due in every ledger of the database, at most `limit` actions. */
  settleDue(limit: number): Promise<DueSettled>;
}

/** Durations are seconds. */
export interface ActionsConfig {
  readonly region: string;
  /** Whether actions on platforms of other regions are recorded elsewhere. Default: all are recorded in this one. */
  readonly partsRegions?: boolean;
  readonly approvalTtl: number;
  readonly grantTtl: number;
  readonly executionTtl: number;
  /** How long an execution may take in all, however often it is extended. Default: a day. */
  readonly executionLimit?: number;
  readonly chainIdle: number;
  /** How old a read may be and still count as a possible source of a write. */
  readonly sessionWindow?: number;
  /** Bytes that a result may have. Default: 5 MiB. */
  readonly resultBytes?: number;
}

export interface ActionsOptions {
  readonly ledgers: Ledgers;
  /** Whether a server of this installation signed an entry, without which it permits nothing. */
  readonly isSigned: IsSigned;
  readonly pool: Queryable;
  /** The policy of every organization that has published none. */
  readonly policy: Policy;
  /** Evaluates documents that are not used. Default: one for this area alone. */
  readonly tryPolicy?: TryPolicy | undefined;
  /** The policies of all organizations. Default: nobody has published one. */
  readonly policies?: Policies | undefined;
  /** How principals stand now. Default: nobody is suspended, and every agent may use any platform. */
  readonly statusOf?: ((organization: string) => PrincipalStatus | undefined) | undefined;
  /** What is known of people beside what their tokens say. Default: nothing. */
  readonly known?: (KnownPeople & Lending) | undefined;
  /** Whether anybody is known whom a requirement asks. Default: somebody always is. */
  readonly reach?: Reach | undefined;
  readonly keys: Keys;
  readonly config: ActionsConfig;
  /** Finds the sessions that entries name. Default: one that this area creates. */
  readonly attribution?: Attribution;
  /** Counts refused attempts that repeat. Default: each is an entry. */
  readonly refusals?: Pick<Refusals, "record"> | undefined;
  /** Of a region that is not the home region of organizations: what it records of that one. */
  readonly abroad?: Abroad | undefined;
  /** What callers read before, in all regions. Default: in this one, where everything is recorded. */
  readonly findReads?: FindReads | undefined;
  /** Computes fingerprints in worker threads. Default: a new one, which runs until the process ends. */
  readonly maker?: FingerprintMaker | undefined;
}

export const DEFAULT_SESSION_WINDOW = 12 * 3600;
const DEFAULT_RESULT_BYTES = 5 * 1024 * 1024;
const DEFAULT_EXECUTION_LIMIT = 86_400;
const NOTHING_KNOWN: KnownPeople & Lending = {
  refresh: async () => {},
  people: async () => PEOPLE_AS_TOLD,
  lentTo: async () => [],
  knownToBeLent: () => [],
  wasLent: () => undefined,
  delegatesOf: () => [],
};
const EVERYBODY_REACHED: Reach = { isReached: async () => true };

export function createActions(options: ActionsOptions): Actions {
  const { ledgers, isSigned, pool: db, policy, keys, config } = options;
  const { known = NOTHING_KNOWN, reach = EVERYBODY_REACHED, policies = createPolicies({ starter: policy }) } = options;
  const { tryPolicy = createTryPolicy() } = options;
  const { approvalTtl, grantTtl, executionTtl, executionLimit: limit = DEFAULT_EXECUTION_LIMIT } = config;
  const { partsRegions = false, chainIdle, sessionWindow = DEFAULT_SESSION_WINDOW } = config;
  const clock = createDatabaseClock();
  const grants = createGrants(keys.grants, options.abroad === undefined ? undefined : config.region);
  const attribution = options.attribution ?? createAttribution({ ledgers, db, region: config.region });
  const commit = createCommit({ ledgers, attribute: attribution.attribute, refusals: options.refusals });
  const routing = createRouting({ ledgers, db, clock, chainIdle, sessionWindow });
  const load = createActionLoader({ db, ledgers, isSigned });
  const sources = () => [{ region: config.region, db }];
  const { findReads = createPossibleReads({ sources, isOneRegion: true, sessionWindow }) } = options;
  const judge = createJudge({ db, policies, findReads, statusOf: options.statusOf });
  const commitTogether = createCommitTogether({ ledgers, attribute: attribution.attribute });
  const firstShown = createFirstShown({ db });
  const { maker = createFingerprintMaker() } = options;
  const keyOf = createFingerprintKeys(keys.secret);
  const readRecorder = createReadRecorder({ db, keyOf, maker });
  const recentReads = createRecentReads({ db, ledgers, sessionWindow });
  const findOrigins = createFindOrigins({ db, keyOf, maker, recentReads });
  const executor = createExecutor({ commit, commitTogether, load, clock, judge, known, firstShown, readRecorder });
  const review = createBreakGlassReview({ db, commit, load, known, isSigned });
  const decideTogether = createBatchDecider({ executor, grantTtl });
  const voidApprovals = createVoidApprovals({ db, executor });
  const supersede = createSupersede({ load, executor });
  const { look: earlier, note } = createFindEarlier({ db, load });
  const atHome = createHomeRecord({
    region: config.region,
    partsRegions,
    abroad: options.abroad,
    statusOf: options.statusOf,
  });
  const entries = createProposalEntries({ load, clock, grants, reach, atHome, approvalTtl, grantTtl, recorded: note });
  const now = () => clock.now() ?? new Date();
  const windows = createWindowReader({ db, policies, now });
  const inQueues = createQueues();
  const lookUp = createLookUpSources({ policies, findReads, findOrigins, partsRegions });
  const propose = createProposer({ commit, routing, windows, inQueues, entries, supersede, earlier, lookUp });
  const proposeTogether = createBatchProposer({
    commit: commitTogether,
    routing,
    windows,
    inQueues,
    entries,
    supersede,
    load,
    earlier,
    lookUp,
  });
  const begin = options.abroad?.copies.begin ?? createBeginning({ commit, policies, region: config.region });
  const ledgerOfCaller = ({ principal }: Caller) => ledgerOf(principal.organization, config.region);
  const isOpenTo = ({ principal }: Caller) => mayUseRegion(principal, config.region);
  /** Where the caller proposes. Throws RegionRefusal. */
  const ledgerToProposeIn = (caller: Caller) => {
    if (!isOpenTo(caller)) throw nowhere(config.region);
    return ledgerOfCaller(caller);
  };
  /** Where an action is that the caller named. To whom the region is closed, there is no such action. */
  const ledgerOfAction = (caller: Caller) => {
    if (!isOpenTo(caller)) throw notFound(["actionId"]);
    return ledgerOfCaller(caller);
  };
  const apply = async (caller: Caller, id: string, command: FollowUp) =>
    executor.apply(ledgerOfAction(caller), id, caller, command);

  /** Records the refusal of a token that names no action of the caller's organization, without anything of the token. */
  const refuseUnknown = (caller: Caller): Promise<never> =>
    commit<undefined, never>({
      ledger: ledgerOfCaller(caller),
      by: caller,
      load: async () => undefined,
      decide() {
        const code = "GRANT_INVALID";
        const message = "this is not a grant of this installation, or it was altered";
        return {
          kind: "refuse",
          fact: { type: "GRANT_REFUSED", reason: code },
          error: (entry) => new ActionRefusal(code, message, { path: ["token"], entry }),
        };
      },
    });

  return {
    ...createExplainer({ region: config.region, policies, now, tryPolicy }),
    async propose(caller, input) {
      const ledger = ledgerToProposeIn(caller);
      await begin(caller.principal.organization);
      return propose(caller, ledger, input);
    },
    async proposeTogether(caller, inputs) {
      const ledger = ledgerToProposeIn(caller);
      await begin(caller.principal.organization);
      return proposeTogether(caller, ledger, inputs);
    },
    async repeated(caller, input) {
      const proposal = checkProposal(input);
      const id = actionIdOf(caller.principal, proposal.idempotencyKey);
      return entries.repeat({ caller, ledger: ledgerToProposeIn(caller), id, proposal });
    },
    async proposeOwn(caller, input, own) {
      const ledger = ledgerToProposeIn(caller);
      await begin(caller.principal.organization);
      return propose(caller, ledger, input, own);
    },
    async approve(caller, { actionId, ...decision }) {
      return apply(caller, actionId, decisionCommand(caller, { verdict: "APPROVE", ...decision }, grantTtl));
    },
    async deny(caller, { actionId, ...decision }) {
      return apply(caller, actionId, decisionCommand(caller, { verdict: "DENY", ...decision }, grantTtl));
    },
    async decideTogether(caller, decisions) {
      if (!isOpenTo(caller)) return decisions.map(() => notFound(["actionId"]));
      return decideTogether(caller, ledgerOfCaller(caller), decisions);
    },
    async breakGlass(caller, { actionId, reason, ...rest }) {
      checkText(reason, "reason", MAX_NOTE);
      if (reason.trim() === "") throw invalidInput(["reason"], "must say why it could not wait");
      return apply(caller, actionId, { type: "breakGlass", by: caller.principal, grantTtl, reason, ...rest });
    },
    async reviewBreakGlass(caller, input) {
      checkText(input.note, "note", MAX_NOTE);
      checkReason(input.note, "must say why it was justified, or not");
      return review(caller, ledgerOfAction(caller), input);
    },
    async revokeApproval(caller, { actionId, note }) {
      checkText(note, "note", MAX_NOTE);
      checkReason(note, "must say why the approval is taken back");
      return apply(caller, actionId, { type: "revokeApproval", by: caller.principal, note });
    },
    async cancel(caller, { actionId, note }) {
      checkText(note, "note", MAX_NOTE);
      return apply(caller, actionId, { type: "cancel", by: caller.principal, note });
    },
    async claimGrant(caller, { actionId }) {
      const command = { type: "claimGrant", by: caller.principal, grantId: newId() } as const;
      let grant: IssuedGrant | undefined;
      const sign = async (next: NextState, { situation, now }: Loaded): Promise<NextState> => {
        const { terms } = situation;
        const expiresAt = next.grant?.expiresAt ?? now;
        const { token, hash } = await grants.sign({
          id: command.grantId,
          actionId: terms.actionId,
          audience: terms.requestedBy.id,
          key: caller.key,
          digest: terms.digest,
          issuedAt: now,
          expiresAt,
        });
        grant = { token, expiresAt };
        return { ...next, grant: { id: command.grantId, hash, expiresAt } };
      };
      const result = await executor.apply(ledgerOfAction(caller), actionId, caller, command, sign);
      if (grant === undefined) throw new Error("a grant was recorded that was never signed");
      return { ...result, grant };
    },
    async redeemGrant(caller, { token, digest }) {
      const grant = await grants.verify(token);
      const actionId = grant?.actionId ?? claimedAction(token);
      if (actionId === undefined) return refuseUnknown(caller);
      const command = {
        type: "redeemGrant",
        by: caller.principal,
        key: caller.key,
        grant,
        digest,
        executionTtl,
      } as const;
      try {
        return await apply(caller, actionId, command);
      } catch (error) {
        if (error instanceof ActionRefusal && error.code === "NOT_FOUND") return refuseUnknown(caller);
        throw error;
      }
    },
    async complete(caller, { actionId, outcome, result, error }) {
      checkText(error, "error", MAX_TEXT);
      const reported =
        result === undefined ? undefined : canonicalJson(result, "result", config.resultBytes ?? DEFAULT_RESULT_BYTES);
      return apply(caller, actionId, {
        type: "completeAction",
        by: caller.principal,
        outcome,
        result: reported,
        error,
      });
    },
    async resolve(caller, { actionId, outcome, note }) {
      checkText(note, "note", MAX_NOTE);
      checkReason(note, "must say how the outcome is known");
      return apply(caller, actionId, { type: "resolveAction", by: caller.principal, outcome, note });
    },
    async extend(caller, { actionId, seconds }) {
      if (seconds < 1) throw invalidInput(["seconds"], "must be at least 1");
      return apply(caller, actionId, { type: "extendExecution", by: caller.principal, seconds, limit });
    },
    voidApprovals: (caller, principalId) =>
      voidApprovals(ledgerOfCaller(caller), principalId, known.delegatesOf(caller.principal.organization, principalId)),
    async load(caller, actionId) {
      return isOpenTo(caller) ? (await load({ ledger: ledgerOfCaller(caller), id: actionId }))?.view : undefined;
    },
    async blockedBecause(view, { principal, assurance }) {
      const { state, proposal, voters = [] } = view;
      const terms = termsOf(proposal);
      const now = clock.now() ?? new Date();
      const problem = view.sealed === true ? undefined : contentProblem(proposal, voters);
      const today = state.status === "PENDING" ? await judge(proposal, voters, now) : undefined;
      const lent = known.knownToBeLent(principal.organization, principal.id);
      const told = { state, terms, voters, updatedAt: now, contentMissing: problem === "MISSING", today, lent };
      const isCompared = today !== undefined && view.sealed !== true;
      const people = isCompared
        ? await known.people(principal.organization, peopleCompared(told, principal), homePositionOf(proposal))
        : undefined;
      const situation = { ...told, people };
      // Whoever looks can still say why.
      const manner = { assurance, hasNote: true };
      const { objections: found } = eligibility(situation, principal, now, "APPROVE", manner);
      const altered = problem === "ALTERED" ? ["LEDGER_CORRUPT"] : [];
      return [...new Set([...found.map(({ code }) => code), ...altered])];
    },
    noteShown({ principal }, { state, proposal }, channel) {
      if (state.status !== "PENDING" || principal.kind !== "HUMAN") return;
      const terms = termsOf(proposal);
      const { id, onBehalfOf } = terms.requestedBy;
      const isRequester = principal.id === id || principal.id === onBehalfOf?.id;
      const mayConfirm = confirmsAsOwner(terms, principal) || terms.requirements.some((one) => one.requesterAfter);
      if (isRequester && !mayConfirm) return;
      firstShown.note(state.ledger, state.id, principal.id, channel);
    },
    settleDue: (limit) => settleDue({ db, executor }, limit),
  };
}
