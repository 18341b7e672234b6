import { CanonicalText, canonicalize } from "../../../facts/canonical.ts";
import type { LedgerEntry, LedgerId } from "../../../facts/entry.ts";
import { Erasable } from "../../../facts/erasable.ts";
import type { Hash } from "../../../facts/hash.ts";
import { newId } from "../../../facts/random.ts";
import type { FactDraft } from "../../../facts/registry.ts";
import { DraftRefusedError, LedgerUnavailableError } from "../../../ledger/errors.ts";
import type { Recording } from "../../commit.ts";
import type { Reach } from "../../directory/reach.ts";
import type { Caller } from "../../identity/principal.ts";
import type { DatabaseClock } from "../../lineage/database-clock.ts";
import type { PossibleReads } from "../../lineage/possible-reads.ts";
import type { RouteKey } from "../../lineage/routes.ts";
import type { RoutedStep } from "../../lineage/routing.ts";
import type { Origins } from "../../lineage/sources/origins.ts";
import type { OwnSituation } from "../../policy/conditions/variables.ts";
import type { Evaluation } from "../../policy/evaluate.ts";
import type { ActionView } from "../action.ts";
import { keyReused } from "../action-id.ts";
import { stateFacts } from "../body.ts";
import { firstState } from "../decide/propose.ts";
import type { NextState } from "../decide/transition.ts";
import { digestOf } from "../digest.ts";
import type { Grants } from "../grants.ts";
import type { Proposal } from "../input.ts";
import type { ActionLoader } from "../loading/loader.ts";
import { nextActionState } from "../loading/store.ts";
import { render } from "../render.ts";
import type { HomeRecord } from "./home-record.ts";
import { escalatedAtOnce } from "./reached.ts";
import { isSameProposal } from "./same-proposal.ts";
import type { ShadowDifference } from "./shadow.ts";

/** A signed, single-use grant. Shown once, never stored. */
export interface IssuedGrant {
  readonly token: string;
  readonly expiresAt: Date;
}

export interface ProposeResult {
  readonly action: ActionView;
  /** The grant when the policy permits the action; only for the call that recorded it. */
  readonly grant?: IssuedGrant;
  readonly entry: LedgerEntry;
}

/** What the server itself carries out once people have approved it. */
export interface OwnProposal extends OwnSituation {
  readonly publishes: FactDraft<"ACTION_PROPOSED">["publishes"];
  /** Seconds that people have to decide. */
  readonly approvalTtl: number;
}

/** A checked proposal with the id of its action. */
export interface Proposed {
  readonly caller: Caller;
  readonly ledger: LedgerId;
  readonly id: string;
  readonly proposal: Proposal;
  /** Id of a denied action of the caller that it repeats. */
  readonly repeats?: string | undefined;
  /** Of what the server itself carries out. */
  readonly own?: OwnProposal | undefined;
  /** What another policy would say of it. */
  readonly shadow?: ShadowDifference | undefined;
  /** What it may have drawn from, where a policy asks. */
  readonly reads?: PossibleReads | undefined;
  /** Of a write: where its data may come from. */
  readonly origins?: Origins | undefined;
}

export interface ProposalEntriesOptions {
  readonly load: ActionLoader;
  readonly clock: DatabaseClock;
  readonly grants: Grants;
  readonly reach: Reach;
  readonly atHome: HomeRecord;
  /** Seconds. */
  readonly approvalTtl: number;
  readonly grantTtl: number;
  /** Is told of each entry. */
  readonly recorded: (proposal: LedgerEntry) => void;
}

/** Whose chain a proposal is a step of. */
export function routeKeyOf({ caller: { principal }, ledger, proposal }: Proposed): RouteKey {
  const onBehalfOfId = principal.onBehalfOf?.id ?? "";
  return { ledger, principalId: principal.id, onBehalfOfId, conversation: proposal.conversationId ?? "" };
}

/**
 * The result of a key that was used before, for the proposal that `earlier` records. Throws ActionRefusal when `proposed`
 * is another one.
 */
export function repetition({ caller, proposal }: Proposed, earlier: ActionView): ProposeResult {
  if (!isSameProposal(earlier.proposal, caller.principal, proposal)) throw keyReused();
  return { action: earlier, entry: earlier.proposal };
}

/** Whether a proposal that repeats one that waits for people is answered with that one. */
export function answersWithOpen({ repeat, supersedes }: Proposal): boolean {
  return repeat !== true && supersedes === undefined;
}

/** What an approver is shown of the proposal at this step, and the hash that binds it. */
function shown({ caller, id, proposal, origins }: Proposed, evaluation: Evaluation, step: RoutedStep) {
  const { principal } = caller;
  const { region, policyHash } = evaluation;
  const { platform, tool } = proposal;
  const rendered = new CanonicalText<string>(
    canonicalize(
      render({
        ...proposal,
        arguments: proposal.arguments.text,
        effect: evaluation.effect,
        region,
        requestedBy: principal,
        source: origins?.best ?? step.source,
        sources: origins,
      }),
    ),
  );
  const bound = { actionId: id, platform, tool, arguments: proposal.arguments, region, policyHash, rendered };
  return { digest: digestOf({ ...bound, requestedBy: principal }), rendered };
}

export type ProposalEntries = ReturnType<typeof createProposalEntries>;

/** Makes the entries of proposals, and finds those of keys that were used before. */
export function createProposalEntries(options: ProposalEntriesOptions) {
  const { load, clock, grants, reach, atHome, approvalTtl, grantTtl, recorded } = options;

  async function signed({ caller, id }: Proposed, digest: Hash, next: NextState, issuedAt: Date) {
    const { grant } = next;
    if (grant?.id === undefined) return { next, grant: undefined };
    const { expiresAt } = grant;
    const { key, principal } = caller;
    const terms = { id: grant.id, actionId: id, audience: principal.id, key, digest, issuedAt, expiresAt };
    const { token, hash } = await grants.sign(terms);
    return { next: { ...next, grant: { ...grant, hash } }, grant: { token, expiresAt } };
  }

  /** The key was used before: the same proposal gets the action it made, any other is refused. undefined: it was not. */
  async function repeat(proposed: Proposed): Promise<ProposeResult | undefined> {
    const loaded = await load(proposed);
    return loaded && repetition(proposed, loaded.view);
  }

  async function make(proposed: Proposed, evaluated: Evaluation, step: RoutedStep): Promise<Recording<ProposeResult>> {
    const evaluation = await escalatedAtOnce(evaluated, proposed.caller, reach, clock.now() ?? new Date());
    const { caller, ledger, id, proposal, repeats, own, shadow, reads, origins } = proposed;
    const home = await atHome(caller.principal.organization, evaluation);
    const { digest, rendered } = shown(proposed, evaluation, step);
    const now = clock.now() ?? new Date();
    const longest = own?.approvalTtl ?? approvalTtl;
    const ttl = Math.min(longest, ...evaluation.requirements.map((one) => one.ttl ?? longest));
    const { outcome } = evaluation;
    const command = { type: "propose", outcome, grantId: newId(), approvalTtl: ttl, grantTtl } as const;
    const { next, grant } = await signed(proposed, digest, firstState(command, now), now);
    const { conversationId, targetRegion, userRequest, rationale, supersedes } = proposal;
    const { action, states } = stateFacts(id, next);
    return {
      kind: "record",
      fact: {
        type: "ACTION_PROPOSED",
        grant: next.grant?.id === undefined ? undefined : { id: next.grant.id },
        action,
        states: [...states, ...step.states],
        platform: proposal.platform,
        tool: proposal.tool,
        effect: evaluation.effect,
        region: evaluation.region,
        targetRegion,
        conversation: conversationId,
        chain: step.chain,
        sourceChain: (origins?.best ?? step.source)?.chain,
        digest,
        home,
        policy: evaluation.recorded,
        measures: evaluation.measures,
        windows: evaluation.windows,
        lineage: origins?.lineage,
        evidence: origins?.evidence === undefined ? undefined : new Erasable(origins.evidence),
        arguments: new Erasable(proposal.arguments),
        rendered: new Erasable(rendered),
        userRequest: userRequest === undefined ? undefined : new Erasable(userRequest),
        rationale: rationale === undefined ? undefined : new Erasable(rationale),
        supersedes,
        publishes: own?.publishes,
        shadow,
        reads,
        repeats,
      },
      result(entry) {
        const recordedAt = new Date(entry.recordedAt);
        clock.observe(recordedAt);
        recorded(entry);
        step.recorded(recordedAt);
        const state = nextActionState(undefined, { ledger, id, agentId: caller.principal.id }, next, entry);
        return { action: { state, proposal: entry }, entry, ...(grant === undefined ? {} : { grant }) };
      },
      async lost(error) {
        const refusal = error instanceof DraftRefusedError ? error : undefined;
        step.failed(refusal?.moved("CHAIN") === true);
        if (refusal?.moved("ACTION") !== true) return undefined;
        const made = await repeat(proposed);
        if (made !== undefined) return { result: made };
        const message = "the action was recorded but cannot be read now; repeat the call";
        throw new LedgerUnavailableError(message, 1, undefined, "UNKNOWN");
      },
    };
  }

  return {
    repeat,
    /** The fact that `proposed` makes at this step of its caller. Throws ActionRefusal; the step has failed then. */
    async recording(...made: Parameters<typeof make>): Promise<Recording<ProposeResult>> {
      try {
        return await make(...made);
      } catch (error) {
        made[2].failed(false);
        throw error;
      }
    },
  };
}
