import { bodyOf } from "../facts/encode.ts";
import type { LedgerEntry, LedgerId } from "../facts/entry.ts";
import { DraftRefusedError, LedgerDamagedError } from "../ledger/errors.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import { type Attribute, MAX_LOOKUPS, MAX_ROUNDS, type Recording, tooManyRounds } from "./commit.ts";
import type { Caller } from "./identity/principal.ts";
import { callerFacts } from "./identity/recorded.ts";

/** Decisions about several items of one caller, to be recorded in one transaction and in the order of the items. */
export interface CommitTogether<Item, Loaded, Result> {
  readonly ledger: LedgerId;
  readonly by: Caller;
  readonly items: readonly Item[];
  /** Loads the current state that the decisions about `items` depend on, in their order. */
  readonly load: (items: readonly Item[]) => Promise<readonly Loaded[]>;
  /**
   * Throws for an item that is refused. As later items may depend on it, `lost` of the others is then called, and they are
   * loaded and decided again.
   */
  readonly decide: (item: Item, loaded: Loaded) => Promise<Recording<Result>>;
  readonly conversation: (item: Item) => string | undefined;
}

/**
 * Records several decisions, each like a CommitFunction does. Returns the result of each item, or why it was not recorded.
 * Items that lost a race are decided again, and recorded in a further transaction.
 */
export type CommitTogetherFunction = <Item, Loaded, Result>(
  commit: CommitTogether<Item, Loaded, Result>,
) => Promise<readonly PromiseSettledResult<Result>[]>;

export interface CommitTogetherOptions {
  readonly ledgers: Pick<Ledgers, "appendTogether" | "damaged">;
  readonly attribute: Attribute;
}

/** An item without an outcome. */
interface Due<Item> {
  readonly item: Item;
  /** Its place among all. */
  readonly at: number;
  /** How often a session that it was to be recorded in had ended meanwhile. */
  readonly ended: number;
}

interface Decided<Item, Result> {
  readonly due: Due<Item>;
  readonly recording: Recording<Result>;
}

type Outcomes<Result> = PromiseSettledResult<Result>[];

export function createCommitTogether({ ledgers, attribute }: CommitTogetherOptions): CommitTogetherFunction {
  /** Returns decisions, made from the same state. Items that were refused have an outcome instead. */
  async function decideAll<Item, Loaded, Result>(
    { load, decide }: CommitTogether<Item, Loaded, Result>,
    all: readonly Due<Item>[],
    outcomes: Outcomes<Result>,
  ): Promise<readonly Decided<Item, Result>[]> {
    for (let due = all; due.length > 0; ) {
      const loaded = await load(due.map(({ item }) => item));
      const decisions = await Promise.allSettled(due.map(({ item }, n) => decide(item, loaded[n] as Loaded)));
      let refusal: PromiseRejectedResult | undefined;
      const decided: Decided<Item, Result>[] = [];
      for (const [n, decision] of decisions.entries()) {
        const one = due[n] as Due<Item>;
        if (decision.status === "fulfilled") decided.push({ due: one, recording: decision.value });
        else {
          outcomes[one.at] = refusal = decision;
          if (decision.reason instanceof LedgerDamagedError) ledgers.damaged(decision.reason);
        }
      }
      if (refusal === undefined) return decided;
      for (const { recording } of decided) await recording.lost?.(refusal.reason);
      due = decided.map((one) => one.due);
    }
    return [];
  }

  /** Appends what was decided. Returns the items that lost a race; all others have an outcome. */
  async function record<Item, Result>(
    commit: Pick<CommitTogether<Item, never, Result>, "ledger" | "by">,
    decided: readonly Decided<Item, Result>[],
    sessions: ReadonlyMap<number, string | undefined>,
    outcomes: Outcomes<Result>,
  ): Promise<readonly Due<Item>[]> {
    const appended = await append(commit, decided, sessions);
    const lost = decided.flatMap((one, n) => {
      const result = appended[n] as PromiseSettledResult<LedgerEntry>;
      if (result.status === "rejected") return [{ ...one, reason: result.reason as unknown }];
      outcomes[one.due.at] = { status: "fulfilled", value: one.recording.result(result.value, []) };
      return [];
    });
    const again = lost.map(async ({ due, recording, reason }): Promise<readonly Due<Item>[]> => {
      try {
        const instead = await recording.lost?.(reason);
        if (!(reason instanceof DraftRefusedError)) throw reason;
        if (instead === undefined) return [{ ...due, ended: due.ended + (reason.moved("SESSION") ? 1 : 0) }];
        outcomes[due.at] = { status: "fulfilled", value: instead.result };
      } catch (error) {
        outcomes[due.at] = { status: "rejected", reason: error };
      }
      return [];
    });
    return (await Promise.all(again)).flat();
  }

  /** Never rejects: each recording must be settled, whatever went wrong. */
  async function append<Item, Result>(
    { ledger, by }: Pick<CommitTogether<Item, never, Result>, "ledger" | "by">,
    decided: readonly Decided<Item, Result>[],
    sessions: ReadonlyMap<number, string | undefined>,
  ): Promise<readonly PromiseSettledResult<LedgerEntry>[]> {
    try {
      const facts = decided.map(({ due, recording: { fact, notAfter, windows } }) => {
        return { body: bodyOf(callerFacts(by, sessions.get(due.at)), fact), notAfter, windows };
      });
      return facts.length === 0 ? [] : await ledgers.appendTogether(ledger, facts);
    } catch (reason) {
      return decided.map(() => ({ status: "rejected", reason }));
    }
  }

  /** The session of each item that is due, by its place. */
  async function sessionsOf<Item>(
    { by, conversation }: Pick<CommitTogether<Item, never, unknown>, "by" | "conversation">,
    due: readonly Due<Item>[],
  ): Promise<ReadonlyMap<number, string | undefined>> {
    const found = due.map(async ({ item, at, ended }) => {
      const session = ended < MAX_LOOKUPS ? await attribute(by, conversation(item)) : undefined;
      return [at, session] as const;
    });
    return new Map(await Promise.all(found));
  }

  return async <Item, Loaded, Result>(commit: CommitTogether<Item, Loaded, Result>) => {
    const outcomes: Outcomes<Result> = new Array(commit.items.length);
    let due: readonly Due<Item>[] = commit.items.map((item, at) => ({ item, at, ended: 0 }));
    let failure: unknown = tooManyRounds();
    try {
      for (let round = 0; round < MAX_ROUNDS && due.length > 0; round += 1) {
        const sessions = await sessionsOf(commit, due);
        due = await record(commit, await decideAll(commit, due, outcomes), sessions, outcomes);
      }
    } catch (error) {
      failure = error;
    }
    for (const { at } of due) outcomes[at] ??= { status: "rejected", reason: failure };
    return outcomes;
  };
}
