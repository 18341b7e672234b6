import { CanonicalText, canonicalize } from "../../facts/canonical.ts";
import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import type { Hash } from "../../facts/hash.ts";
import { newId } from "../../facts/random.ts";
import { DraftRefusedError, LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Queryable } from "../../ledger/read.ts";
import type { CommitFunction, Recording } from "../commit.ts";
import type { Caller } from "../identity/principal.ts";
import type { DatabaseClock } from "../lineage/database-clock.ts";
import type { RoutedStep, Routing } from "../lineage/routing.ts";
import type { Evaluation, Policy } from "../policy/evaluate.ts";
import type { ActionView } from "./action.ts";
import { actionIdOf } from "./action-id.ts";
import { stateFacts } from "./body.ts";
import { firstState } from "./decide/propose.ts";
import type { NextState } from "./decide/transition.ts";
import { digestOf } from "./digest.ts";
import { ActionRefusal, invalidInput } from "./errors.ts";
import type { Grants } from "./grants.ts";
import { checkProposal, type Proposal, type ProposeInput } from "./input.ts";
import { render } from "./render.ts";
import { isSameProposal } from "./same-proposal.ts";
import { loadAction, nextActionState } from "./store.ts";
import type { Supersede } from "./supersede.ts";

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

export interface ProposerOptions {
  readonly commit: CommitFunction;
  readonly db: Queryable;
  readonly clock: DatabaseClock;
  readonly routing: Routing;
  readonly policy: Policy;
  readonly grants: Grants;
  /** Seconds. */
  readonly approvalTtl: number;
  readonly grantTtl: number;
  readonly supersede: Supersede;
}

/** Characters that are invisible are written out for approvers, so little input can become much text. */
const MAX_RENDERED = 400_000;

/**
 * Proposes actions. A proposal is one entry. Usually nothing is read before it, and the result is built from what was
 * appended. A proposal that supersedes another action checks that one first and cancels it last: after a failure in between
 * the other is still pending, and repeating the call cancels it.
 */
export function createProposer(options: ProposerOptions) {
  const { commit, db, clock, routing, policy, grants, supersede } = options;

  /** What an approver is shown of the proposal at this step, and the hash that binds it. */
  function shown(caller: Caller, id: string, proposal: Proposal, evaluation: Evaluation, step: RoutedStep) {
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
          source: step.source,
        }),
      ),
    );
    if (rendered.text.length > MAX_RENDERED) {
      const message = `the text for approvers is longer than ${MAX_RENDERED} characters: shorten the arguments`;
      throw invalidInput(["arguments"], message);
    }
    const bound = { actionId: id, platform, tool, arguments: proposal.arguments, region, policyHash, rendered };
    return { digest: digestOf({ ...bound, requestedBy: principal }), rendered };
  }

  /** The fact that `proposal` makes at this step of its caller. */
  async function recordingOf(
    caller: Caller,
    ledger: LedgerId,
    id: string,
    proposal: Proposal,
    evaluation: Evaluation,
    step: RoutedStep,
  ): Promise<Recording<ProposeResult>> {
    const { digest, rendered } = shown(caller, id, proposal, evaluation, step);
    const now = clock.now() ?? new Date();
    const { approvalTtl, grantTtl } = options;
    const command = { type: "propose", outcome: evaluation.outcome, grantId: newId(), approvalTtl, grantTtl } as const;
    const { next, grant } = await signed(caller, id, digest, firstState(command, now), now);
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
        sourceChain: step.source?.chain,
        digest,
        policy: evaluation.recorded,
        arguments: new Erasable(proposal.arguments),
        rendered: new Erasable(rendered),
        userRequest: userRequest === undefined ? undefined : new Erasable(userRequest),
        rationale: rationale === undefined ? undefined : new Erasable(rationale),
        supersedes,
      },
      result(entry) {
        const recordedAt = new Date(entry.recordedAt);
        clock.observe(recordedAt);
        step.recorded(recordedAt);
        const state = nextActionState(undefined, { ledger, id, agentId: caller.principal.id }, next, entry);
        return { action: { state, proposal: entry }, entry, ...(grant === undefined ? {} : { grant }) };
      },
      async lost(error) {
        const refusal = error instanceof DraftRefusedError ? error : undefined;
        step.failed(refusal?.moved("CHAIN") === true);
        if (refusal?.moved("ACTION") !== true) return undefined;
        const made = await repeat(caller, ledger, id, proposal);
        if (made !== undefined) return { result: made };
        const message = "the action was recorded but cannot be read now; repeat the call";
        throw new LedgerUnavailableError(message, 1, undefined, "UNKNOWN");
      },
    };
  }

  async function signed(caller: Caller, id: string, digest: Hash, next: NextState, issuedAt: Date) {
    const { grant } = next;
    if (grant?.id === undefined) return { next, grant: undefined };
    const { expiresAt } = grant;
    const { key, principal } = caller;
    const terms = { id: grant.id, actionId: id, audience: principal.id, key, digest, issuedAt, expiresAt };
    const { token, hash } = await grants.sign(terms);
    return { next: { ...next, grant: { ...grant, hash } }, grant: { token, expiresAt } };
  }

  /** The key was used before: the same proposal gets the action it made, any other is refused. undefined: it was not. */
  async function repeat(caller: Caller, ledger: LedgerId, id: string, proposal: Proposal) {
    const loaded = await loadAction(db, ledger, id);
    if (loaded === undefined) return undefined;
    if (!isSameProposal(loaded.view.proposal, caller.principal, proposal)) {
      const message = "this idempotency key was used for another proposal; use a fresh one";
      throw new ActionRefusal("IDEMPOTENCY_KEY_REUSED", message, { path: ["idempotencyKey"] });
    }
    return { action: loaded.view, entry: loaded.view.proposal } satisfies ProposeResult;
  }

  /** The proposal as an action: a new one, or the one its key made before. */
  function record(caller: Caller, ledger: LedgerId, id: string, proposal: Proposal): Promise<ProposeResult> {
    const { platform, tool, conversationId } = proposal;
    const evaluation = policy.evaluate(platform, tool, caller.principal.platforms);
    const { principal } = caller;
    const onBehalfOfId = principal.onBehalfOf?.id ?? "";
    const key = { ledger, principalId: principal.id, onBehalfOfId, conversation: conversationId ?? "" };
    return commit<RoutedStep, ProposeResult>({
      ledger,
      by: caller,
      conversation: conversationId,
      load: () => routing.step(key, platform, evaluation.effect === "WRITE"),
      async decide(step) {
        try {
          return await recordingOf(caller, ledger, id, proposal, evaluation, step);
        } catch (error) {
          step.failed(false);
          throw error;
        }
      },
    });
  }

  /** The proposal, in place of `earlier`; or the rest of that work, when an earlier call began it. */
  async function replace(caller: Caller, ledger: LedgerId, id: string, proposal: Proposal, earlier: string) {
    let result = await repeat(caller, ledger, id, proposal);
    if (result === undefined) {
      await supersede.check(caller, ledger, earlier, id);
      result = await record(caller, ledger, id, proposal);
    }
    // What the policy blocked replaces nothing.
    if (result.action.state.status !== "BLOCKED") await supersede.settle(caller, ledger, earlier, id);
    return result;
  }

  return async (caller: Caller, ledger: LedgerId, input: ProposeInput): Promise<ProposeResult> => {
    const proposal = checkProposal(input);
    const id = actionIdOf(caller.principal, proposal.idempotencyKey);
    return proposal.supersedes === undefined
      ? record(caller, ledger, id, proposal)
      : replace(caller, ledger, id, proposal, proposal.supersedes);
  };
}
