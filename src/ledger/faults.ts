import { readFileSync } from "node:fs";
import { DatabaseError, type Pool } from "pg";
import { v7 as uuidv7 } from "uuid";
import type { LedgerId } from "../facts/entry.ts";
import { callAppend, HEAD_LOCKED } from "./appending/call.ts";
import { type Link, Links } from "./appending/links.ts";
import { type LedgerDamagedError, LedgerUnavailableError } from "./errors.ts";

/** Seconds between two checks of the ledgers that are in use. */
const INTERVAL = 1;
/** Milliseconds by which the clock of the database may differ from this process's, if not said otherwise. */
const CLOCK_TOLERANCE_MS = 60_000;
const RETRY_AFTER_SECONDS = 1;
/** Different damages that are remembered for one ledger. When there are more, all of them are forgotten. */
const MAX_DAMAGES = 100;

const CLOCK = "SELECT clock_timestamp() AS now";
const HEADS = readFileSync(new URL("./head.sql", import.meta.url), "utf8");

/** Why a ledger cannot be appended to, or not reliably. */
export interface LedgerFault {
  readonly code: "LEDGER_CORRUPT" | "LEDGER_LOCKED" | "CLOCK_SKEWED";
  readonly message: string;
}

export interface FaultsOptions {
  /** For queries that have to be fast when nothing else is. */
  readonly readinessPool: Pick<Pool, "query">;
  /** For appends: whether a head is still locked is tried with an append that is refused. */
  readonly pool: Pick<Pool, "query">;
  /** Milliseconds. */
  readonly clockToleranceMs?: number | undefined;
  /** The time here, in milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
  /** Called when a fault begins, changes or ends; `ledger` is undefined for what concerns all of them. */
  readonly onFault?: ((fault: LedgerFault | undefined, ledger: LedgerId | undefined) => void) | undefined;
  /** Called when an entry of `ledger` was found not to follow the one at `seq`: for the watcher, so that it can be acknowledged. */
  readonly onUnlinked?: ((ledger: LedgerId, seq: bigint) => void) | undefined;
}

interface HeadRow {
  readonly ledger: LedgerId;
  readonly dated: Date | null;
  readonly now: Date;
  readonly broken: string | null;
}

/**
 * Whether ledgers can be appended to: their heads and the clocks. Checked every second for those in use. A ledger that is still
 * being created has no head, and that is no fault: it is in use once this process has opened it.
 */
export interface Faults {
  /** Notes that `ledger`, which has a head or should have one, is in use. */
  used(ledger: LedgerId): void;
  /**
   * Throws the fault of `ledger`, if one is known that keeps every entry from being recorded.
   *
   * @param acknowledging whether the entry may end that: entries that do not follow each other do not keep it from being recorded.
   */
  assertSound(ledger: LedgerId, acknowledging?: boolean): void;
  /** Checks `ledgers`, which should have heads, and the clocks now. Rejects with the database's error when that is not possible. */
  check(ledgers: readonly LedgerId[]): Promise<void>;
  /** Notes a batch that was recorded in `ledger`: the entry it follows, and its last one. */
  recorded(ledger: LedgerId, before: Link, end: Link): void;
  /** Why `notAfter` is late although it is ahead by the database's clock, as of the last check; undefined when it is not, or is not set. */
  clockFault(ledger: LedgerId, notAfter: Date | undefined): LedgerUnavailableError | undefined;
  /** The head of `ledger` was locked for longer than an append may wait. */
  headLocked(ledger: LedgerId): void;
  /** What is stored of a ledger contradicts its entries. Noted until `undamaged` or `resume`; the first of a ledger is reported. */
  damaged(error: LedgerDamagedError): void;
  /** Forgets what one error said. */
  undamaged(error: LedgerDamagedError): void;
  /** Forgets entries of `ledger` that do not follow each other, and rows that are not what entries say: somebody has looked into it. */
  resume(ledger: LedgerId): void;
  /** The codes of all faults that are known; empty: all ledgers in use can be appended to. */
  codes(): ReadonlySet<LedgerFault["code"]>;
  stop(): void;
}

/** Checks the ledgers in use every second until it is stopped. */
export function createFaults(options: FaultsOptions): Faults {
  const { readinessPool, pool, onUnlinked, clockToleranceMs = CLOCK_TOLERANCE_MS, now = Date.now, onFault } = options;
  const heads = new Map<LedgerId, LedgerFault>();
  const ahead = new Map<LedgerId, LedgerFault>();
  const locked = new Map<LedgerId, LedgerFault>();
  /** Entries that do not follow each other: that does not pass by itself. */
  const unlinked = new Map<LedgerId, LedgerFault>();
  /** Rows that are not what entries say, by what is wrong. Only decisions on those rows are refused. */
  const damages = new Map<LedgerId, Set<string>>();
  const links = new Map<LedgerId, Links>();
  let clocks: LedgerFault | undefined;
  let databaseTime = 0;
  const used = new Set<LedgerId>();
  let checking = false;
  const timer = setInterval(() => void checkUsed(), INTERVAL * 1_000);
  timer.unref();

  function note(faults: Map<LedgerId, LedgerFault>, ledger: LedgerId, fault: LedgerFault | undefined): void {
    const known = faults.get(ledger);
    if (fault === undefined) faults.delete(ledger);
    else faults.set(ledger, fault);
    if (known?.code !== fault?.code) onFault?.(fault, ledger);
  }

  function forgetDamages(ledger: LedgerId): void {
    if (damages.delete(ledger)) onFault?.(undefined, ledger);
  }

  function noteClocks(fault: LedgerFault | undefined): void {
    const known = clocks;
    clocks = fault;
    if (known?.code !== fault?.code) onFault?.(fault, undefined);
  }

  async function check(ledgers: readonly LedgerId[]): Promise<void> {
    const asked = now();
    // Not prepared: a plan that is made while the tables are small would read all of them later.
    const { rows } = await readinessPool.query<HeadRow>(HEADS, [ledgers]);
    const answered = now();
    for (const { ledger, dated, broken, now: at } of rows) {
      const message = `ledger ${ledger} is damaged: ${broken}. Nothing is recorded in it; verify it, and restore its head`;
      note(heads, ledger, broken === null ? undefined : { code: "LEDGER_CORRUPT", message });
      note(ahead, ledger, dated === null ? undefined : aheadFault(ledger, dated, at));
    }
    const [first] = rows;
    if (first !== undefined) noteTime(first.now, asked, answered);
  }

  async function checkClock(): Promise<void> {
    const asked = now();
    const { rows } = await readinessPool.query<Pick<HeadRow, "now">>(CLOCK);
    noteTime(rows[0]!.now, asked, now());
  }

  function noteTime(database: Date, asked: number, answered: number): void {
    databaseTime = database.getTime();
    noteClocks(clockFault(databaseTime, asked, answered));
  }

  function unlink(ledger: LedgerId, seq: bigint): void {
    const message =
      `ledger ${ledger} is damaged: its entry ${seq + 1n} does not follow entry ${seq}, because its head was changed. ` +
      "Nothing is recorded in it; verify it";
    // What follows from the first one must not take its place.
    if (!unlinked.has(ledger)) note(unlinked, ledger, { code: "LEDGER_CORRUPT", message });
    onUnlinked?.(ledger, seq);
  }

  /** Compares what batches of this process followed with what stands there. */
  async function checkLinks(ledger: LedgerId, open: readonly Link[]): Promise<void> {
    const { rows } = await readinessPool.query<{ seq: string; hash: string }>(
      "SELECT seq, encode(hash, 'hex') AS hash FROM oc_entries_at($1, $2)",
      [ledger, open.map(({ seq }) => seq)],
    );
    const stored = new Map(rows.map(({ seq, hash }) => [BigInt(seq), hash]));
    const wrong = open.find(({ seq, hash }) => seq > 0n && stored.get(seq) !== hash);
    if (wrong !== undefined) unlink(ledger, wrong.seq);
  }

  /** The links to look up, which are noted again when that fails. */
  async function checkOpenLinks(): Promise<void> {
    await Promise.all(
      [...links].map(async ([ledger, of]) => {
        const open = of.takeOpen();
        if (open.length === 0) return void links.delete(ledger);
        try {
          await checkLinks(ledger, open);
        } catch (error) {
          of.putBack(open);
          throw error;
        }
      }),
    );
  }

  function aheadFault(ledger: LedgerId, dated: Date, at: Date): LedgerFault | undefined {
    const seconds = Math.round((dated.getTime() - at.getTime()) / 1_000);
    if (seconds * 1_000 <= clockToleranceMs) return undefined;
    const message =
      `the last entry of ledger ${ledger} is dated ${dated.toISOString()}, ${seconds} s ahead of the database's clock: ` +
      "deadlines cannot be judged until then. The clock was wrong when that entry was recorded, or is wrong now";
    return { code: "CLOCK_SKEWED", message };
  }

  function clockFault(database: number, asked: number, answered: number): LedgerFault | undefined {
    const off = database < asked ? asked - database : Math.max(0, database - answered);
    if (off <= clockToleranceMs) return undefined;
    const message =
      `the clocks of the database (${new Date(database).toISOString()}) and of this server (${new Date(answered).toISOString()}) ` +
      `differ by ${Math.round(off / 1_000)} s: nothing is recorded until they are set`;
    return { code: "CLOCK_SKEWED", message };
  }

  /** An append that is refused, because it is late, waits for the head like any other and writes nothing. */
  async function tryHead(ledger: LedgerId): Promise<void> {
    const id = uuidv7();
    const body = JSON.stringify({ id, type: "NOTHING" });
    try {
      await callAppend(pool, ledger, [{ id, body, payload: "", notAfter: new Date(0) }]);
    } catch (error) {
      // The fault stays until the head can be locked; what else is wrong is found by `check`, or by the next append.
      if (error instanceof DatabaseError && error.code === HEAD_LOCKED) return;
    }
    note(locked, ledger, undefined);
  }

  async function checkUsed(): Promise<void> {
    const wanted = new Set([...used, ...heads.keys(), ...ahead.keys()]);
    if (checking || (wanted.size === 0 && links.size === 0 && locked.size === 0 && clocks === undefined)) return;
    checking = true;
    used.clear();
    try {
      const heads = wanted.size > 0 ? check([...wanted]) : checkClock();
      await Promise.all([heads, checkOpenLinks(), ...[...locked.keys()].map(tryHead)]);
    } catch {
      // The database is unavailable, which every append and readiness check says by itself.
      for (const ledger of wanted) used.add(ledger);
    } finally {
      checking = false;
    }
  }

  const thrown = ({ code, message }: LedgerFault) =>
    new LedgerUnavailableError(message, RETRY_AFTER_SECONDS, undefined, "NOTHING", code);

  return {
    used: (ledger) => void used.add(ledger),
    assertSound(ledger, acknowledging = false) {
      const fault =
        clocks ?? (acknowledging ? undefined : unlinked.get(ledger)) ?? heads.get(ledger) ?? locked.get(ledger);
      if (fault !== undefined) throw thrown(fault);
    },
    check,
    recorded(ledger, before, end) {
      const of = links.get(ledger) ?? new Links();
      links.set(ledger, of);
      if (!of.note(before, end)) unlink(ledger, before.seq);
    },
    clockFault(ledger, notAfter) {
      const fault = ahead.get(ledger) ?? clocks;
      if (fault === undefined || notAfter === undefined || notAfter.getTime() <= databaseTime) return undefined;
      return thrown(fault);
    },
    headLocked(ledger) {
      const message = `the head of ledger ${ledger} is locked by another session of the database; nothing was recorded`;
      note(locked, ledger, { code: "LEDGER_LOCKED", message });
    },
    damaged({ ledger, what, message }) {
      const known = damages.get(ledger) ?? new Set();
      damages.set(ledger, known);
      if (known.size === 0) onFault?.({ code: "LEDGER_CORRUPT", message }, ledger);
      if (known.size < MAX_DAMAGES) known.add(what);
    },
    undamaged({ ledger, what }) {
      const known = damages.get(ledger);
      if (known?.delete(what) === true && known.size === 0) forgetDamages(ledger);
    },
    resume(ledger) {
      links.delete(ledger);
      note(unlinked, ledger, undefined);
      forgetDamages(ledger);
    },
    codes: () => {
      const faults = [
        ...unlinked.values(),
        ...heads.values(),
        ...ahead.values(),
        ...locked.values(),
        ...(clocks === undefined ? [] : [clocks]),
      ];
      const codes = new Set(faults.map(({ code }) => code));
      return damages.size === 0 ? codes : codes.add("LEDGER_CORRUPT");
    },
    stop: () => clearInterval(timer),
  };
}
