import type { LedgerId } from "../../../facts/entry.ts";
import { LedgerUnavailableError } from "../../../ledger/errors.ts";
import { MAX_ROUNDS, tooManyRounds } from "../../commit.ts";
import type { CommitTogetherFunction } from "../../commit-together.ts";
import type { Caller } from "../../identity/principal.ts";
import type { RoutedStep, Routing } from "../../lineage/routing.ts";
import type { ActionView } from "../action.ts";
import { actionIdOf } from "../action-id.ts";
import { ActionRefusal } from "../errors.ts";
import { checkCount, checkProposal, type ProposeInput } from "../input.ts";
import type { ActionLoader } from "../loading/loader.ts";
import type { FindEarlier } from "./earlier.ts";
import {
  answersWithOpen,
  type ProposalEntries,
  type Proposed,
  type ProposeResult,
  repetition,
  routeKeyOf,
} from "./proposal-entry.ts";
import type { Queues } from "./queues.ts";
import type { LookedUp, LookUpSources } from "./sources.ts";
import type { Supersede } from "./supersede.ts";
import { type Judged, type Reading, type WindowReader, whileWindowsLast } from "./windows.ts";

export interface BatchProposerOptions {
  readonly commit: CommitTogetherFunction;
  readonly routing: Routing;
  readonly windows: WindowReader;
  readonly inQueues: Queues;
  readonly entries: ProposalEntries;
  readonly supersede: Supersede;
  readonly load: ActionLoader;
  readonly earlier: () => FindEarlier;
  readonly lookUp: LookUpSources;
}

/** What became of one proposal of a batch. */
export type ProposeOutcome = ProposeResult | ActionRefusal;

/** A proposal with its place in the batch. */
interface Item extends Proposed {
  readonly at: number;
}

/** Proposals of one call, and where their data may be from. */
interface Batch {
  readonly caller: Caller;
  readonly ledger: LedgerId;
  readonly items: readonly [Item, ...Item[]];
  readonly before: LookedUp;
}

/** A proposal that is to be recorded, and the later ones with the same key. */
interface Fresh extends Judged {
  readonly item: Item;
  readonly repetitions: readonly Item[];
  /** An action that waits, which is the answer when people have to decide. */
  readonly open?: ActionView | undefined;
}

/**
 * Proposes several actions, as if one were proposed after the other, but recorded in one transaction. Actions that were
 * recorded before are returned, as those of a repeated call are.
 */
export function createBatchProposer(options: BatchProposerOptions) {
  const { commit, routing, windows, inQueues, entries, supersede, load, earlier, lookUp } = options;

  /**
   * The first proposal of one key that can be recorded; undefined when there is none. All before it, and all when the key was
   * used in an earlier call, have their outcome.
   */
  async function freshOf(
    items: readonly Item[],
    { find, reading }: { readonly find: FindEarlier; readonly reading: Reading },
    outcomes: ProposeOutcome[],
  ): Promise<Fresh | undefined> {
    const [first] = items;
    const made = first && (await load(first));
    for (const [n, item] of items.entries()) {
      try {
        const { caller, ledger, id, proposal } = item;
        if (made !== undefined) {
          outcomes[item.at] = repetition(item, made.view);
          continue;
        }
        if (proposal.supersedes !== undefined) await supersede.check(caller, ledger, proposal.supersedes, id);
        const judged = reading.judge(item);
        const asks = judged.evaluation.outcome === "REQUIRE";
        // With those before it, windows may come to something that people have to decide.
        const { open, denied } = asks || judged.windows.length > 0 ? await find(item) : {};
        if (asks && open !== undefined && answersWithOpen(proposal)) {
          outcomes[item.at] = { action: open, entry: open.proposal };
          continue;
        }
        return { item: { ...item, repeats: denied }, ...judged, open, repetitions: items.slice(n + 1) };
      } catch (error) {
        outcomes[item.at] = refusalOr(error);
      }
    }
    return undefined;
  }

  function record(caller: Caller, ledger: LedgerId, all: readonly Fresh[]) {
    return commit<Fresh, RoutedStep, ProposeResult | undefined>({
      ledger,
      by: caller,
      items: all,
      conversation: ({ item }) => item.proposal.conversationId,
      load: (fresh) =>
        routing.steps(
          fresh.map(({ item, evaluation }) => ({
            key: routeKeyOf(item),
            platform: item.proposal.platform,
            writes: evaluation.effect === "WRITE",
          })),
        ),
      decide: async ({ item, evaluation, windows, shadow, reads, origins }, step) =>
        whileWindowsLast(await entries.recording({ ...item, shadow, reads, origins }, evaluation, step), windows),
    });
  }

  /**
   * Gives every item its outcome. Throws an error that is no refusal once all that could be recorded are, as
   * LedgerUnavailableError UNKNOWN when some were.
   */
  async function propose({ caller, ledger, items, before }: Batch, outcomes: ProposeOutcome[]) {
    let sources = before;
    let recorded = false;
    try {
      // Usually one round. A key with several proposals needs another one when its first is refused while it is recorded, and so does
      // a proposal that repeats another one of the batch.
      // So do those whose windows count what others recorded meanwhile.
      let due: readonly Item[] = items;
      for (let round = 0; due.length > 0; round += 1) {
        if (round >= MAX_ROUNDS + items.length) throw tooManyRounds();
        const byKey = [...Map.groupBy(due, ({ id }) => id).values()];
        sources = await lookUp(items, sources);
        const asked = { find: earlier(), reading: await windows.read(due, sources) };
        const all = (await Promise.all(byKey.map((same) => freshOf(same, asked, outcomes))))
          .filter((one) => one !== undefined)
          .sort((a, b) => a.item.at - b.item.at);
        const { fresh, waiting } = apart(all, asked.reading, outcomes);
        const results = await record(caller, ledger, fresh);
        recorded ||= results.some((one) => one.status === "fulfilled" && one.value !== undefined);
        due = [...fresh.flatMap((one, n) => accept(one, results[n], outcomes)), ...waiting];
      }
      const superseded = await settleSuperseded(items, outcomes);
      recorded ||= superseded.size > 0;
      await refresh(items, outcomes, superseded);
    } catch (error) {
      if (!recorded || !(error instanceof LedgerUnavailableError)) throw error;
      const message = "some of the actions are recorded and others may not be; repeat the call to get them all";
      throw new LedgerUnavailableError(message, error.retryAfterSeconds, error, "UNKNOWN");
    }
  }

  /** Cancels what is superseded, each in favour of the first that supersedes it. Returns the ids of what was to be cancelled. */
  async function settleSuperseded(
    items: readonly Item[],
    outcomes: readonly ProposeOutcome[],
  ): Promise<ReadonlySet<string>> {
    const replacing = new Map<string, Item>();
    for (const item of items) {
      const outcome = outcomes[item.at];
      const { supersedes } = item.proposal;
      if (supersedes === undefined || replacing.has(supersedes)) continue;
      // What the policy blocked replaces nothing.
      if (isResult(outcome) && outcome.action.state.status !== "BLOCKED") replacing.set(supersedes, item);
    }
    await Promise.all(
      [...replacing].map(([earlier, { caller, ledger, id }]) => supersede.settle(caller, ledger, earlier, id)),
    );
    return new Set(replacing.keys());
  }

  /** Loads the actions with these ids again for the outcomes that have them. */
  async function refresh(items: readonly Item[], outcomes: ProposeOutcome[], ids: ReadonlySet<string>): Promise<void> {
    const outdated = items.filter(({ at, id }) => ids.has(id) && isResult(outcomes[at]));
    const loaded = await Promise.all(outdated.map((item) => load(item)));
    for (const [n, { at }] of outdated.entries()) {
      const [outcome, action] = [outcomes[at], loaded[n]?.view];
      if (isResult(outcome) && action !== undefined) outcomes[at] = { ...outcome, action };
    }
  }

  /** Returns the outcome of each input, in order. Throws ActionRefusal for too many, and LedgerUnavailableError. */
  return async (
    caller: Caller,
    ledger: LedgerId,
    inputs: readonly ProposeInput[],
  ): Promise<readonly ProposeOutcome[]> => {
    checkCount(inputs.length);
    const outcomes = new Array<ProposeOutcome>(inputs.length);
    const items = inputs.flatMap((input, at): readonly Item[] => {
      try {
        const proposal = checkProposal(input);
        return [{ at, caller, ledger, proposal, id: actionIdOf(caller.principal, proposal.idempotencyKey) }];
      } catch (error) {
        outcomes[at] = refusalOr(error);
        return [];
      }
    });
    const [first, ...others] = items;
    if (first === undefined) return outcomes;
    const keys = [...new Set(items.flatMap(windows.keysOf))];
    const batch: readonly [Item, ...Item[]] = [first, ...others];
    const before = await lookUp(batch);
    await inQueues(keys, () => propose({ caller, ledger, items: batch, before }, outcomes));
    return outcomes;
  };
}

/**
 * The first of proposals that repeat each other, and the others, which are answered once it is recorded. Each is judged again with those
 * before it, where what is said of it depends on them.
 */
function apart(
  all: readonly Fresh[],
  reading: Reading,
  outcomes: ProposeOutcome[],
): { readonly fresh: readonly Fresh[]; readonly waiting: readonly Item[] } {
  const seen = new Set<string>();
  const fresh: Fresh[] = [];
  const waiting: Item[] = [];
  for (const given of all) {
    const one = given.windows.length === 0 ? given : { ...given, ...reading.judge(given.item) };
    const { item, evaluation, repetitions, open } = one;
    if (evaluation.outcome === "REQUIRE" && open !== undefined && answersWithOpen(item.proposal)) {
      outcomes[item.at] = { action: open, entry: open.proposal };
      waiting.push(...repetitions);
      continue;
    }
    const { platform, tool, targetRegion, conversationId, arguments: values } = item.proposal;
    const what = JSON.stringify([platform, tool, targetRegion ?? null, conversationId ?? null, values.text]);
    const repeats = evaluation.outcome === "REQUIRE" && answersWithOpen(item.proposal) && seen.has(what);
    if (repeats) waiting.push(item, ...repetitions);
    else {
      fresh.push(one);
      if (evaluation.measures !== undefined) reading.count(item);
    }
    if (evaluation.outcome === "REQUIRE") seen.add(what);
  }
  return { fresh, waiting };
}

/** Takes over what became of a proposal and of those with the same key. Returns those that are to be proposed themselves. */
function accept(
  { item, repetitions }: Fresh,
  result: PromiseSettledResult<ProposeResult | undefined> | undefined,
  outcomes: ProposeOutcome[],
): readonly Item[] {
  if (result === undefined || (result.status === "fulfilled" && result.value === undefined)) {
    return [item, ...repetitions];
  }
  if (result.status === "rejected") {
    outcomes[item.at] = refusalOr(result.reason);
    return repetitions;
  }
  const made = result.value as ProposeResult;
  outcomes[item.at] = made;
  for (const repeated of repetitions) {
    try {
      outcomes[repeated.at] = repetition(repeated, made.action);
    } catch (error) {
      outcomes[repeated.at] = refusalOr(error);
    }
  }
  return [];
}

function isResult(outcome: ProposeOutcome | undefined): outcome is ProposeResult {
  return outcome !== undefined && !(outcome instanceof ActionRefusal);
}

/** `error` as an outcome; rethrows one that is no refusal. */
function refusalOr(error: unknown): ActionRefusal {
  if (error instanceof ActionRefusal) return error;
  throw error;
}
