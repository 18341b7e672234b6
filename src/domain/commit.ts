import { bodyOf } from "../facts/encode.ts";
import type { LedgerEntry, LedgerId } from "../facts/entry.ts";
import type { FactDraft } from "../facts/registry.ts";
import { DraftRefusedError, LedgerDamagedError, LedgerUnavailableError } from "../ledger/errors.ts";
import type { AppendOptions, Ledgers } from "../ledger/ledger.ts";
import type { WindowCondition } from "../ledger/windows.ts";
import type { Caller } from "./identity/principal.ts";
import { type By, callerFacts } from "./identity/recorded.ts";
import type { Refusals } from "./refusals/refusals.ts";

/** The result of a decision. */
export type CommitDecision<Result> =
  | Recording<Result>
  | CommitRefusal
  /** There is nothing to record. */
  | { readonly kind: "done"; readonly result: Result }
  /** What was loaded is outdated already: load and decide again. */
  | { readonly kind: "again" };

/** A fact to record. */
export interface Recording<Result> {
  readonly kind: "record";
  readonly fact: FactDraft;
  /** A deadline that has not passed; checked again by the database's clock in the transaction that records. */
  readonly notAfter?: Date | undefined;
  /** What windows came to; checked again in that transaction. After a lost race they have to be read again. */
  readonly windows?: readonly WindowCondition[] | undefined;
  readonly result: (entry: LedgerEntry, followers: readonly LedgerEntry[]) => Result;
  /**
   * What the server records after it in the same transaction. Each has to depend on `fact`, so that none is recorded without it, and
   * `fact` on everything that they move, so that it is not recorded without them.
   */
  readonly followers?: readonly FactDraft[] | undefined;
  /**
   * Called when the fact could not be recorded. After a lost race (a DraftRefusedError) it may return a result, instead of
   * deciding again; any other error is rethrown.
   */
  readonly lost?: ((error: unknown) => Promise<{ readonly result: Result } | undefined> | undefined) | undefined;
}

/** An expected refusal. `fact`, if given, records the attempt first. */
export interface CommitRefusal {
  readonly kind: "refuse";
  readonly fact?: FactDraft | undefined;
  readonly error: (entry: LedgerEntry | undefined) => Error;
}

export interface Commit<Loaded, Result> {
  readonly ledger: LedgerId;
  readonly by: By;
  /** Loads the current state that the decision depends on. */
  readonly load: () => Promise<Loaded>;
  readonly decide: (loaded: Loaded) => CommitDecision<Result> | Promise<CommitDecision<Result>>;
  /** The conversation the entry belongs to, which determines its session. */
  readonly conversation?: string | undefined | ((loaded: Loaded) => string | undefined);
  /** Overrides how the session of the entry is found. Called again when the session it returned has ended meanwhile. */
  readonly session?: (() => Promise<string | undefined>) | undefined;
}

/**
 * The only way to record a decision: load, decide, append; after a lost race load and decide again. Throws the error of a
 * refusal, and LedgerUnavailableError when nothing could be recorded.
 */
export type CommitFunction = <Loaded, Result>(commit: Commit<Loaded, Result>) => Promise<Result>;

/** Finds the id of the open session that what `caller` does now belongs to, if there is one. */
export type Attribute = (caller: Caller, conversation?: string) => Promise<string | undefined>;

export interface CommitOptions {
  readonly ledgers: Pick<Ledgers, "append" | "damaged"> & Partial<Pick<Ledgers, "appendTogether">>;
  /** How the session of an entry is found when its commit does not say; "none": such entries name no session. */
  readonly attribute: Attribute | "none";
  /** Counts refusals that repeat. Default: each is an entry. */
  readonly refusals?: Pick<Refusals, "record"> | undefined;
}

/** Each lost round is one that another caller won; after this many the caller should retry later. */
export const MAX_ROUNDS = 32;
/** How often one append looks the session up, because it ended meanwhile, before the entry is recorded without one. */
export const MAX_LOOKUPS = 3;
const RETRY_AFTER_SECONDS = 1;

export function createCommit({ ledgers, attribute, refusals }: CommitOptions): CommitFunction {
  function finder<Loaded>({ by, session, conversation }: Commit<Loaded, unknown>) {
    return async (loaded: () => Loaded): Promise<string | undefined> => {
      if (session !== undefined) return session();
      if (by === "system" || attribute === "none") return undefined;
      return attribute(by, typeof conversation === "function" ? conversation(loaded()) : conversation);
    };
  }

  /** Appends `fact` in the session that `find` returns, and in the next one when that session ended meanwhile. */
  async function append<Loaded>(
    { ledger, by }: Commit<Loaded, unknown>,
    fact: FactDraft,
    { followers = [], ...options }: AppendOptions & Pick<Recording<unknown>, "followers">,
    find: () => Promise<string | undefined>,
  ): Promise<readonly [LedgerEntry, ...LedgerEntry[]]> {
    for (let lookups = 0; ; lookups += 1) {
      const session = lookups < MAX_LOOKUPS ? await find() : undefined;
      try {
        const body = bodyOf(callerFacts(by, session), fact);
        if (followers.length > 0) return await appendWith(ledger, { body, ...options }, followers);
        return [await ledgers.append(ledger, body, options)];
      } catch (error) {
        const ended = error instanceof DraftRefusedError && error.moved("SESSION");
        if (session === undefined || !ended || movesSession(fact)) throw error;
      }
    }
  }

  /** Throws why the first was refused; those after it depend on it. */
  async function appendWith(
    ledger: LedgerId,
    first: AppendOptions & { readonly body: ReturnType<typeof bodyOf> },
    followers: readonly FactDraft[],
  ): Promise<readonly [LedgerEntry, ...LedgerEntry[]]> {
    const all = [first, ...followers.map((fact) => ({ body: bodyOf(callerFacts("system"), fact) }))];
    if (ledgers.appendTogether === undefined) throw new Error("nothing can follow an entry here");
    const [leader, ...rest] = await ledgers.appendTogether(ledger, all);
    if (leader?.status !== "fulfilled") throw leader?.reason;
    const recorded = rest.map((one) => {
      if (one.status === "fulfilled") return one.value;
      throw new Error("an entry was recorded without one that has to follow it", { cause: one.reason });
    });
    return [leader.value, ...recorded];
  }

  /** The entry of a refused attempt; undefined when it repeats another of the same minute. */
  function recordRefusal<Loaded>(
    { ledger, by }: Commit<Loaded, unknown>,
    fact: FactDraft,
    record: () => Promise<LedgerEntry>,
  ): Promise<LedgerEntry | undefined> {
    const counted = fact.type === "DECISION_REFUSED" || fact.type === "GRANT_REFUSED";
    return refusals === undefined || by === "system" || !counted ? record() : refusals.record(ledger, by, fact, record);
  }

  async function decided<Loaded, Result>(commit: Commit<Loaded, Result>) {
    try {
      const loaded = await commit.load();
      return { loaded, decision: await commit.decide(loaded) };
    } catch (error) {
      throw error instanceof LedgerDamagedError ? ledgers.damaged(error) : error;
    }
  }

  return async (commit) => {
    const find = finder(commit);
    // Looked up while the decision is made, where nothing loaded is needed for it.
    let early = typeof commit.conversation === "function" ? undefined : find(neverLoaded);
    early?.catch(() => undefined);
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const { loaded, decision } = await decided(commit);
      if (decision.kind === "done") return decision.result;
      if (decision.kind === "again") continue;
      const session = () => {
        const found = early ?? find(() => loaded);
        early = undefined;
        return found;
      };
      if (decision.kind === "refuse") {
        const { fact, error } = decision;
        const record = async (refused: FactDraft) => (await append(commit, refused, {}, session))[0];
        throw error(fact && (await recordRefusal(commit, fact, () => record(fact))));
      }
      try {
        const { fact, notAfter, windows, followers } = decision;
        const [entry, ...others] = await append(commit, fact, { notAfter, windows, followers }, session);
        return decision.result(entry, others);
      } catch (error) {
        const outcome = await decision.lost?.(error);
        if (!(error instanceof DraftRefusedError)) throw error;
        if (outcome !== undefined) return outcome.result;
      }
    }
    throw tooManyRounds();
  };
}

export function tooManyRounds(): LedgerUnavailableError {
  const message = "too many callers change the same thing at once; nothing was recorded";
  return new LedgerUnavailableError(message, RETRY_AFTER_SECONDS);
}

function neverLoaded(): never {
  throw new Error("a session was looked for before anything was loaded");
}

function movesSession(fact: FactDraft): boolean {
  return fact.type === "SESSION_STARTED" || fact.type === "SESSION_ENDED";
}
