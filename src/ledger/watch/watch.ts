import type { Pool } from "pg";
import { classify } from "../../db/errors.ts";
import { asError } from "../../errors.ts";
import { isLedgerId, type LedgerId } from "../../facts/entry.ts";
import type { FactKey } from "../../facts/signature.ts";
import type { LedgerProblem } from "../../verify/verdict.ts";
import type { LedgerUnavailableError } from "../errors.ts";
import type { ByObject } from "../guards.ts";
import { guardReport } from "../guards.ts";
import type { HeadStore } from "../heads.ts";
import { announcedLedger } from "../ledger-id.ts";
import { verifyLedger } from "../verify/verify.ts";
import { within } from "../within.ts";
import { Agenda } from "./agenda.ts";
import { createFindings, type FindingsOptions } from "./findings.ts";
import { createGuardWatch } from "./guard-watch.ts";
import { createPace } from "./pace.ts";
import { createPasses } from "./passes.ts";
import { type NamedProblem, nameProblem, type WatchProblem } from "./problems.ts";
import { backoff, rest } from "./rest.ts";
import { createWatchRunner } from "./runner.ts";
import { type LedgerCondition, type LedgerHealth, Watched } from "./watched.ts";
import { wholeRound } from "./whole.ts";

/** Milliseconds between two comparisons of all heads with what was verified: notifications may be lost. */
const POLL = 5_000;
/** Ledgers read with one statement. */
const PAGE = 1_000;
/** Milliseconds that the verification of whole ledgers waits for that of their ends. */
const ENDS_LIMIT = 600_000;
/** Milliseconds that a question about health waits for the first report of the guards. */
const HEALTH_LIMIT = 5_000;
const NOT_YET: LedgerProblem = { verdict: "UNVERIFIABLE", seq: undefined, detail: "the guards are being verified" };
/** Milliseconds of work that a report of the guards counts as when it failed: then it waited more than it worked. */
const FAILED_REPORT = 2_000;

export interface WatchOptions extends Omit<FindingsOptions, "onError" | "pool"> {
  /** Of the watcher alone; made of a connection string. */
  readonly pool: Pool;
  /** Keys that verify signatures, at the time. */
  readonly keys: () => readonly FactKey[];
  /** For what takes as long as it takes: whole ledgers, pieces of entries, the guards. Made of a connection string, without time limits. */
  readonly patientPool: Pool;
  readonly heads: Pick<HeadStore, "known" | "record">;
  readonly guardExceptions: ByObject;
  /** Share of one core, from 0 to 1. */
  readonly share: number;
  /** Milliseconds between two verifications of the guards, and of the end of a ledger that is in use. */
  readonly tailIntervalMs: number;
  /** Milliseconds from the begin of one verification of all ledgers as a whole to the next. */
  readonly wholeIntervalMs: number;
  readonly onError: (error: Error, ledger: LedgerId | undefined) => void;
}

export interface WatchStatus {
  readonly ledgers: Readonly<Record<LedgerCondition, number>>;
  /** Ledgers that wait to be verified. */
  readonly waiting: number;
  /** Milliseconds of work. */
  readonly spent: number;
}

/** Verifies the ledgers of a running server, and knows which of them entries must not be recorded in. */
export interface Watch {
  /** Begins to verify by itself. */
  start(): void;
  /**
   * Compares a ledger with the heads that are known outside the database, and verifies the guards, unless this process did before.
   * Rejects when that is not possible now.
   */
  admit(ledger: LedgerId): Promise<void>;
  /** Why nothing may be recorded in a ledger that was admitted. */
  refusal(ledger: LedgerId): Promise<LedgerUnavailableError | undefined> | undefined;
  /** Notes that a ledger has new entries. */
  grown(ledger: LedgerId): void;
  /** Notes that a known head contradicts what was just recorded. */
  suspect(ledger: LedgerId): void;
  /**
   * Notes what a call found about `ledger`, outside the verification. Never rejects. Resolves with whether it is a problem: it is none
   * when an entry acknowledges it.
   */
  report(ledger: LedgerId, problem: WatchProblem): Promise<boolean>;
  /** Whether an entry acknowledges `problem`, as far as this process has read them. */
  isAcknowledged(ledger: LedgerId, problem: WatchProblem): boolean;
  health(ledger: LedgerId): Promise<LedgerHealth>;
  /** Calls `listener` whenever the health of `ledger` changes. Returns what ends that. */
  follow(ledger: LedgerId, listener: () => void): () => void;
  /** The problems of a ledger that nobody acknowledged, as an acknowledgement names them. */
  toAcknowledge(ledger: LedgerId): Promise<readonly NamedProblem[]>;
  /** Takes in an acknowledgement that was recorded. */
  acknowledged(ledger: LedgerId): Promise<void>;
  status(): WatchStatus;
  /** Give these two to the listener on the channel of announcements; the payload is `<ledger> <seq>`, and anything else is ignored. */
  readonly onNotify: (payload: string) => void;
  readonly onReconnect: () => void;
  stop(): Promise<void>;
}

/** Throws RangeError for a share or an interval that is no number of its unit. */
export function createWatch(options: WatchOptions): Watch {
  const { pool, tailIntervalMs, wholeIntervalMs, onError } = options;
  if (!(options.share > 0 && options.share <= 1)) throw new RangeError(`${options.share} is no share of a core`);
  for (const interval of [tailIntervalMs, wholeIntervalMs]) {
    if (!(interval > 0 && interval < Number.POSITIVE_INFINITY)) throw new RangeError(`${interval} is no interval`);
  }
  const stopped = new AbortController();
  const since = new Date();
  const pace = createPace(options.share, stopped.signal);
  const runner = createWatchRunner(options.patientPool, pace);
  const findings = createFindings(options);
  const agenda = new Agenda();
  const ledgers = new Map<LedgerId, Watched>();
  /** What calls found and is being noted. */
  const reports = new Set<Promise<void>>();
  const guards = createGuardWatch({
    report: () => guardReport(options.patientPool, options.guardExceptions),
    intervalMs: tailIntervalMs,
    onError: (error) => onError(error, undefined),
  });
  const passes = createPasses({ ...options, runner, findings, agenda });
  let pollDue = 0;
  let running: Promise<unknown> | undefined;

  function watchedOf(ledger: LedgerId): Watched {
    const known = ledgers.get(ledger);
    if (known !== undefined) return known;
    const watched = new Watched(ledger, since);
    ledgers.set(ledger, watched);
    return watched;
  }

  /** Rejects when nothing can be verified; what concerns this ledger alone is reported, and tried again ever more rarely. */
  async function checkNext({ ledger, what }: NonNullable<ReturnType<Agenda["take"]>>): Promise<void> {
    const watched = watchedOf(ledger);
    // The poll brings it back.
    if (what === "grown" && watched.retryAt > performance.now()) return;
    try {
      await passes.verify(watched, what);
      watched.failures = 0;
    } catch (error) {
      if (stopped.signal.aborted || classify(error) === "unavailable") throw error;
      watched.failures += 1;
      watched.retryAt = performance.now() + backoff(watched.failures, POLL, tailIntervalMs);
      onError(asError(error), ledger);
    } finally {
      if (what === "tail") passes.scheduleTail(watched);
    }
  }

  /** Finds ledgers that have changed, or are gone, without a notification. */
  async function poll(): Promise<void> {
    const there = new Set<LedgerId>();
    for (let after = ""; ; ) {
      const { rows } = await pool.query<{ ledger: LedgerId; seq: string; hash: string }>(
        `SELECT ledger, seq, encode(hash, 'hex') AS hash FROM oc_ledger_head WHERE ledger > $1 ORDER BY ledger LIMIT ${PAGE}`,
        [after],
      );
      for (const { ledger, seq, hash } of rows) {
        // The guards say that the constraint on names is gone.
        if (!isLedgerId(ledger)) continue;
        there.add(ledger);
        const verified = ledgers.get(ledger)?.verified;
        if (verified?.hash !== hash || verified.seq !== BigInt(seq)) agenda.addGrown(ledger);
      }
      after = rows.at(-1)?.ledger ?? "";
      if (rows.length < PAGE) break;
    }
    const now = performance.now();
    for (const [ledger, watched] of ledgers) {
      if (!there.has(ledger) && watched.verified.seq > 0n) agenda.addGrown(ledger);
      if (watched.tailDue > now) continue;
      watched.tailDue = Number.POSITIVE_INFINITY;
      agenda.addTail(ledger);
    }
  }

  /** What was found about the guards concerns every ledger. */
  async function noteGuards(watched: Watched): Promise<void> {
    const { number, problems } = guards.finding;
    if (watched.guards === number) return;
    await findings.note(watched, problems, "guards");
    watched.guards = number;
  }

  async function step(): Promise<void> {
    if (performance.now() >= pollDue) {
      await pace.take(poll);
      pollDue = performance.now() + POLL;
    }
    const next = agenda.take();
    if (next !== undefined) await pace.take(() => checkNext(next));
    else await agenda.wait(pollDue - performance.now(), stopped.signal);
  }

  /** Verifies the guards when that is due. Not within the pace: a report that waits for a lock would keep entries from being verified. */
  async function guardsLater(): Promise<void> {
    await rest(guards.dueAt - performance.now(), stopped.signal);
    await pace.take(async () => undefined);
    const began = performance.now();
    const before = guards.failure?.detail;
    const isVerified = await unlessStopped(guards.check());
    if (guards.failure?.detail !== before) for (const watched of ledgers.values()) watched.changed();
    const took = performance.now() - began;
    pace.charge(isVerified ? took : Math.min(took, FAILED_REPORT));
    for (const watched of ledgers.values()) await noteGuards(watched);
  }

  function unlessStopped<Result>(work: Promise<Result>): Promise<Result> {
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = () => reject(stopped.signal.reason);
    stopped.signal.addEventListener("abort", abort);
    return Promise.race([work, promise]).finally(() => stopped.signal.removeEventListener("abort", abort));
  }

  async function verifyWhole(ledger: LedgerId): Promise<void> {
    const watched = watchedOf(ledger);
    // What is acknowledged must not take the place of what is not.
    await findings.settle(watched);
    const { problems } = await verifyLedger(options.patientPool, ledger, {
      keys: options.keys(),
      runner: runner.paced,
      guards: false,
      signal: stopped.signal,
      maxProblems: watched.limit,
    });
    await findings.note(watched, problems, "whole ledger");
  }

  /** Does `work` again and again until the watcher is stopped; a failure is reported. */
  async function repeat(work: () => Promise<void>): Promise<void> {
    while (!stopped.signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (stopped.signal.aborted) return;
        onError(asError(error), undefined);
        await rest(POLL, stopped.signal).catch(() => undefined);
      }
    }
  }

  /** Waits until the ends of all ledgers have been verified; on a busy server there may be no such moment. */
  async function endsFirst(): Promise<void> {
    const latest = performance.now() + Math.min(wholeIntervalMs, ENDS_LIMIT);
    while ((pollDue === 0 || agenda.length > 0) && performance.now() < latest) await rest(POLL, stopped.signal);
  }

  async function wholeLater(): Promise<void> {
    await endsFirst();
    await wholeRound({
      ledgers: () => [...ledgers.keys()],
      verify: verifyWhole,
      intervalMs: Math.max(POLL, wholeIntervalMs),
      signal: stopped.signal,
      onError,
    });
  }

  function healthOf(watched: Watched, failure = guards.failure): LedgerHealth {
    const health = findings.health(watched);
    if (failure === undefined) return health;
    const condition = health.condition === "OK" ? "SUSPECT" : health.condition;
    return { ...health, condition, problems: [...health.problems, failure] };
  }

  return {
    start() {
      running ??= Promise.all([step, guardsLater, wholeLater].map(repeat));
    },
    async admit(ledger) {
      const watched = watchedOf(ledger);
      await passes.looked(watched);
      await guards.first();
      await noteGuards(watched);
    },
    refusal(ledger) {
      const watched = watchedOf(ledger);
      if (watched.guards !== guards.finding.number) return noteGuards(watched).then(() => findings.refusal(watched));
      const refusal = watched.isTroubled ? findings.refusal(watched) : undefined;
      return refusal && Promise.resolve(refusal);
    },
    grown: (ledger) => agenda.addGrown(ledger),
    suspect(ledger) {
      agenda.addTail(ledger);
      agenda.addGrown(ledger);
    },
    async report(ledger, problem) {
      const watched = watchedOf(ledger);
      const noted = findings
        .note(watched, [problem], "call")
        .catch((error: unknown) => onError(asError(error), ledger));
      reports.add(noted);
      await noted.finally(() => reports.delete(noted));
      return !findings.isAcknowledged(watched, problem);
    },
    isAcknowledged: (ledger, problem) => findings.isAcknowledged(watchedOf(ledger), problem),
    async health(ledger) {
      const watched = watchedOf(ledger);
      await passes.looked(watched);
      // A report may wait for locks: what is known of the ledger is worth more than waiting for it.
      if (guards.failure === undefined) await within("the guards", HEALTH_LIMIT, guards.first()).catch(() => undefined);
      await noteGuards(watched);
      return healthOf(watched, guards.failure ?? (guards.finding.number === 0 ? NOT_YET : undefined));
    },
    follow(ledger, listener) {
      const { listeners } = watchedOf(ledger);
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async toAcknowledge(ledger) {
      const watched = watchedOf(ledger);
      await passes.looked(watched);
      await findings.settle(watched);
      return watched.problems.map(nameProblem);
    },
    acknowledged: (ledger) => findings.settle(watchedOf(ledger)),
    status() {
      const counts = { OK: 0, SUSPECT: 0, STOPPED: 0 };
      for (const watched of ledgers.values()) counts[healthOf(watched).condition] += 1;
      return { ledgers: counts, waiting: agenda.length, spent: pace.spent() };
    },
    onNotify(payload) {
      const ledger = announcedLedger(payload);
      // A ledger that this process has not met is found by the poll, if there is one of that name.
      if (ledger !== undefined && ledgers.has(ledger)) agenda.addGrown(ledger);
    },
    onReconnect() {
      pollDue = 0;
    },
    async stop() {
      stopped.abort();
      // What the thread is at is abandoned, and with it whoever waits for that.
      await runner.close();
      await Promise.all([running, ...reports]);
      await runner.close();
    },
  };
}
