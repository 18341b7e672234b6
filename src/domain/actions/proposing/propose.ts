import type { LedgerId } from "../../../facts/entry.ts";
import { type CommitFunction, MAX_ROUNDS, tooManyRounds } from "../../commit.ts";
import type { Caller } from "../../identity/principal.ts";
import type { RoutedStep, Routing } from "../../lineage/routing.ts";
import { actionIdOf } from "../action-id.ts";
import { checkProposal, type ProposeInput } from "../input.ts";
import type { FindEarlier } from "./earlier.ts";
import {
  answersWithOpen,
  type OwnProposal,
  type ProposalEntries,
  type Proposed,
  type ProposeResult,
  routeKeyOf,
} from "./proposal-entry.ts";
import type { Queues } from "./queues.ts";
import type { LookedUp, LookUpSources } from "./sources.ts";
import type { Supersede } from "./supersede.ts";
import { type WindowReader, whileWindowsLast } from "./windows.ts";

export interface ProposerOptions {
  readonly commit: CommitFunction;
  readonly routing: Routing;
  readonly windows: WindowReader;
  readonly inQueues: Queues;
  readonly entries: ProposalEntries;
  readonly supersede: Supersede;
  readonly earlier: () => FindEarlier;
  readonly lookUp: LookUpSources;
}

/**
 * Proposes actions. A proposal is one entry, and the result is built from what was appended. Before one that people have to decide,
 * the caller's pending and denied actions are read: one that waits already is the result, unless it is meant twice. A proposal that supersedes another action checks that one first and cancels it last: after a failure in between
 * the other is still pending, and repeating the call cancels it.
 */
export function createProposer(options: ProposerOptions) {
  const { commit, routing, windows, inQueues, entries, supersede, earlier, lookUp } = options;

  /** The proposal as an action: a new one, or the one its key made before. Undefined: others were recorded that its windows count. */
  async function attempt(proposed: Proposed, sources: LookedUp): Promise<ProposeResult | undefined> {
    const { caller, ledger, proposal } = proposed;
    const { platform, conversationId } = proposal;
    const reading = await windows.read([proposed], sources);
    const { evaluation, windows: read, shadow, reads, origins } = reading.judge(proposed);
    const { open, denied } = evaluation.outcome === "REQUIRE" ? await earlier()(proposed) : {};
    if (open !== undefined && answersWithOpen(proposal)) return { action: open, entry: open.proposal };
    return commit<RoutedStep, ProposeResult | undefined>({
      ledger,
      by: caller,
      conversation: conversationId,
      load: () => routing.step(routeKeyOf(proposed), platform, evaluation.effect === "WRITE"),
      decide: async (step) =>
        whileWindowsLast(
          await entries.recording({ ...proposed, repeats: denied, shadow, reads, origins }, evaluation, step),
          read,
        ),
    });
  }

  async function record(proposed: Proposed): Promise<ProposeResult> {
    const keys = windows.keysOf(proposed);
    let sources = await lookUp([proposed]);
    return inQueues(keys, async () => {
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        sources = await lookUp([proposed], sources);
        const result = await attempt(proposed, sources);
        if (result !== undefined) return result;
      }
      throw tooManyRounds();
    });
  }

  /** The proposal, in place of `earlier`; or the rest of that work, when an earlier call began it. */
  async function replace(proposed: Proposed, earlier: string) {
    const { caller, ledger, id } = proposed;
    let result = await entries.repeat(proposed);
    if (result === undefined) {
      await supersede.check(caller, ledger, earlier, id);
      result = await record(proposed);
    }
    // What the policy blocked replaces nothing.
    if (result.action.state.status !== "BLOCKED") await supersede.settle(caller, ledger, earlier, id);
    return result;
  }

  return async (caller: Caller, ledger: LedgerId, input: ProposeInput, own?: OwnProposal): Promise<ProposeResult> => {
    const proposal = checkProposal(input);
    const id = actionIdOf(caller.principal, proposal.idempotencyKey);
    const proposed = { caller, ledger, id, proposal, own };
    return proposal.supersedes === undefined ? record(proposed) : replace(proposed, proposal.supersedes);
  };
}
