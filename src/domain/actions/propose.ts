import { v7 as uuidv7 } from "uuid";
import { CanonicalText, canonicalize } from "../../ledger/canonical.ts";
import { Erasable } from "../../ledger/commitment.ts";
import type { LedgerEntry, LedgerId } from "../../ledger/entry.ts";
import { DraftRefusedError, LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Hash } from "../../ledger/hash.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Reader } from "../../ledger/read.ts";
import type { Caller } from "../identity/principal.ts";
import type { DatabaseClock } from "../lineage/database-clock.ts";
import type { Routing, Step } from "../lineage/routing.ts";
import type { Evaluation, Policy } from "../policy/evaluate.ts";
import type { ActionView } from "./action.ts";
import { actionIdOf } from "./action-id.ts";
import { callerFacts, stateFacts } from "./body.ts";
import type { NextState } from "./decide/decision.ts";
import { propose } from "./decide/propose.ts";
import { digestOf } from "./digest.ts";
import { ActionRefusal } from "./errors.ts";
import type { Grants } from "./grants.ts";
import { checkProposal, type Proposal, type ProposeInput } from "./input.ts";
import { render } from "./render.ts";
import { isSameProposal } from "./same-proposal.ts";
import { advance, loadAction } from "./store.ts";

/** A signed, single-use grant. Shown once, never stored. */
export interface IssuedGrant {
  readonly token: string;
  readonly expiresAt: Date;
}

export interface ProposeResult {
  readonly action: ActionView;
  /** There when the policy permits the action at once, and only in answer to the call that made it. */
  readonly grant?: IssuedGrant;
  readonly entry: LedgerEntry;
}

export interface ProposerOptions {
  readonly ledgers: Ledgers;
  readonly db: Reader;
  readonly clock: DatabaseClock;
  readonly routing: Routing;
  readonly policy: Policy;
  readonly grants: Grants;
  /** Seconds. */
  readonly approvalTtl: number;
  readonly grantTtl: number;
  /** Takes back the action that this one replaces, before it is proposed. */
  readonly supersede: (caller: Caller, ledger: LedgerId, earlier: string, id: string) => Promise<void>;
}

/** Every round lost means that the caller's chain moved on in another process. */
const MAX_ROUNDS = 16;

/**
 * Proposes actions. A proposal is one entry; nothing is read before it as a rule, and its answer is built from what was
 * appended.
 */
export function createProposer(options: ProposerOptions) {
  const { ledgers, db, clock, routing, policy, grants } = options;

  /** The caller's proposal, evaluated and placed; `place` is called anew when the chain has moved on. */
  async function draft(caller: Caller, id: string, proposal: Proposal, evaluation: Evaluation, step: Step) {
    const { principal } = caller;
    const { region, policyHash } = evaluation;
    const { platform, tool } = proposal;
    const rendered = new CanonicalText(
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
    const bound = { actionId: id, platform, tool, arguments: proposal.arguments, region, policyHash, rendered };
    return { digest: digestOf({ ...bound, requestedBy: principal }), rendered };
  }

  async function attempt(
    caller: Caller,
    ledger: LedgerId,
    id: string,
    proposal: Proposal,
    evaluation: Evaluation,
    step: Step,
  ): Promise<ProposeResult> {
    const { digest, rendered } = await draft(caller, id, proposal, evaluation, step);
    const now = clock.now() ?? new Date();
    const { approvalTtl, grantTtl } = options;
    const command = { type: "propose", outcome: evaluation.outcome, grantId: uuidv7(), approvalTtl, grantTtl } as const;
    const change = propose(command, now);
    const { next, grant } = await signed(caller, id, digest, change.next, now);
    const { conversationId, targetRegion, userRequest, rationale, supersedes } = proposal;
    const entry = await ledgers.append(ledger, {
      ...callerFacts(caller),
      ...change.facts,
      type: change.type,
      action: stateFacts(id, next),
      platform: proposal.platform,
      tool: proposal.tool,
      effect: evaluation.effect,
      region: evaluation.region,
      targetRegion,
      conversation: conversationId,
      chain: step.chain,
      chainNumber: step.number,
      sourceChain: step.source?.chain,
      digest,
      policy: evaluation.recorded,
      arguments: new Erasable(proposal.arguments),
      rendered: new Erasable(rendered),
      userRequest: userRequest === undefined ? undefined : new Erasable(userRequest),
      rationale: rationale === undefined ? undefined : new Erasable(rationale),
      supersedes,
    });
    const state = advance(undefined, { ledger, id, agentId: caller.principal.id }, next, entry);
    return { action: { state, proposal: entry }, entry, ...(grant === undefined ? {} : { grant }) };
  }

  async function signed(caller: Caller, id: string, digest: Hash, next: NextState, issuedAt: Date) {
    const { grant } = next;
    if (grant?.id === undefined) return { next, grant: undefined };
    const { expiresAt } = grant;
    const terms = { id: grant.id, actionId: id, audience: caller.principal.id, digest, issuedAt, expiresAt };
    const { token, hash } = await grants.sign(terms);
    return { next: { ...next, grant: { ...grant, hash } }, grant: { token, expiresAt } };
  }

  /** The key was used before: the same proposal gets the action it made, any other is refused. */
  async function repeat(caller: Caller, ledger: LedgerId, id: string, proposal: Proposal): Promise<ProposeResult> {
    const loaded = await loadAction(db, ledger, id);
    if (loaded === undefined) throw new LedgerUnavailableError("the action cannot be read now; repeat the call", 1);
    if (!isSameProposal(loaded.view.proposal, caller.principal, proposal)) {
      const message = "this idempotency key was used for another proposal; use a fresh one";
      throw new ActionRefusal("IDEMPOTENCY_KEY_REUSED", message, { path: ["idempotencyKey"] });
    }
    return { action: loaded.view, entry: loaded.view.proposal };
  }

  return async (caller: Caller, ledger: LedgerId, input: ProposeInput): Promise<ProposeResult> => {
    const proposal = checkProposal(input);
    const { platform, tool, conversationId = "", supersedes } = proposal;
    const id = actionIdOf(caller.principal, proposal.idempotencyKey);
    const evaluation = policy.evaluate(platform, tool);
    if (supersedes !== undefined) await options.supersede(caller, ledger, supersedes, id);
    const key = { ledger, principalId: caller.principal.id, conversation: conversationId };
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const step = await routing.step(key, platform, evaluation.effect === "WRITE");
      try {
        const result = await attempt(caller, ledger, id, proposal, evaluation, step);
        const recordedAt = new Date(result.entry.recordedAt);
        clock.observe(recordedAt);
        step.recorded(recordedAt);
        return result;
      } catch (error) {
        const refusal = error instanceof DraftRefusedError ? error.code : undefined;
        step.failed(refusal === "CHAIN");
        if (refusal === "VERSION") return repeat(caller, ledger, id, proposal);
        if (refusal !== "CHAIN") throw error;
      }
    }
    throw new LedgerUnavailableError("the routing chain of this caller moves too fast; nothing was recorded", 1);
  };
}
