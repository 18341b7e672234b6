import type { Pool } from "pg";
import { classify } from "../../db/errors.ts";
import type { LedgerHead, LedgerId } from "../../facts/entry.ts";
import type { FactKey } from "../../facts/signature.ts";
import type { Range } from "../../verify/sequence.ts";
import { allHeads, type HeadStore, HeadsUnreadableError, type KnownHead } from "../heads.ts";
import { unreadable } from "../verify/check-piece.ts";
import { headsProblem } from "../verify/verify.ts";
import type { Agenda } from "./agenda.ts";
import type { Findings, WatchPass } from "./findings.ts";
import { checkEntries, type Look, lookAt, strideAfter } from "./look.ts";
import type { WatchProblem } from "./problems.ts";
import type { WatchRunner } from "./runner.ts";
import type { Watched } from "./watched.ts";

/** Entries at the end of a ledger that are verified again and again, and from which on a ledger should have known heads. */
const REACH = 1_000n;

export interface PassesOptions {
  readonly pool: Pool;
  readonly runner: Pick<WatchRunner, "check">;
  readonly findings: Findings;
  readonly agenda: Agenda;
  readonly heads: Pick<HeadStore, "known" | "record">;
  /** Keys that verify signatures, at the time. */
  readonly keys: () => readonly FactKey[];
  /** Milliseconds between two verifications of the end of a ledger: the shortest, and the longest when it has no new entries. */
  readonly tailIntervalMs: number;
  readonly wholeIntervalMs: number;
}

/** The verifications of one ledger. Each rejects when it is not possible now. */
export interface Passes {
  /** Resolves once this process has looked at where the ledger ends; looks for that. */
  looked(watched: Watched): Promise<void>;
  /** Verifies new entries, or the end once more; after the first look, everything since a while before the end. */
  verify(watched: Watched, what: "grown" | "tail"): Promise<void>;
  /** Sets when the end of the ledger is verified next. */
  scheduleTail(watched: Watched): void;
}

/** What is found is noted in `findings`, and heads that were verified in `heads`. */
export function createPasses(options: PassesOptions): Passes {
  const { pool, runner, findings, agenda, heads, keys, tailIntervalMs, wholeIntervalMs } = options;

  async function knownHeads(ledger: LedgerId): Promise<{
    readonly known: readonly KnownHead[];
    readonly problems: readonly WatchProblem[];
  }> {
    try {
      return { known: allHeads(await heads.known(ledger)), problems: [] };
    } catch (error) {
      if (!(error instanceof HeadsUnreadableError)) throw error;
      return { known: [], problems: [headsProblem(error.message)] };
    }
  }

  /** Notes damaged files as a problem of the ledger. Rejects with any other error. */
  async function noteDamage(watched: Watched, error: unknown, by: WatchPass): Promise<void> {
    if (classify(error) !== "corrupt") throw error;
    await findings.note(watched, [{ verdict: "UNVERIFIABLE", seq: undefined, detail: unreadable(error) }], by);
  }

  async function lookFirst(watched: Watched): Promise<void> {
    const { known, problems } = await knownHeads(watched.ledger);
    try {
      const look = await lookAt(pool, watched.ledger, known, true);
      rebase(watched, look, known.at(-1));
      await findings.note(watched, [...look.problems, ...problems, ...headless(look, known, problems)], "end");
    } catch (error) {
      await noteDamage(watched, error, "end");
    }
    await findings.restore(watched).catch((error: unknown) => noteDamage(watched, error, "earlier"));
    watched.tailDue = performance.now() + tailIntervalMs;
  }

  /** Begins to verify before the end of the ledger, and after the furthest head that is known, if that is further back. */
  function rebase(watched: Watched, { last, problems }: Look, furthest: LedgerHead | undefined): void {
    const before = last > REACH ? last - REACH : 0n;
    const isSound = problems.every(({ heads }) => heads === undefined);
    const seq = isSound && furthest !== undefined && furthest.seq < before ? furthest.seq : before;
    watched.verified = { seq, hash: undefined, seenAt: new Date() };
    watched.reach = last;
  }

  function looked(watched: Watched): Promise<void> {
    watched.looked ??= lookFirst(watched).catch((error: unknown) => {
      watched.looked = undefined;
      throw error;
    });
    return watched.looked;
  }

  /** Verifies new entries, and where the ledger ends. */
  async function checkGrown(watched: Watched): Promise<void> {
    const { ledger, verified } = watched;
    const { hash } = verified;
    const look = await lookAt(pool, ledger, hash === undefined ? [] : [{ ...verified, hash }], false);
    const isRewritten = look.problems.some((problem) => problem.heads !== undefined);
    await findings.note(watched, look.problems, "new entries");
    if (isRewritten) rebase(watched, look, undefined);
    await checkEntriesUpTo(watched, look.last);
  }

  const entriesOf = ({ ledger, limit }: Watched, range: Range) =>
    checkEntries(runner.check, ledger, range, { keys: keys(), limit });

  async function checkEntriesUpTo(watched: Watched, last: bigint): Promise<void> {
    const { ledger } = watched;
    const range = strideAfter(watched.verified.seq, last);
    if (range !== undefined) {
      const { problems, lastHash } = await entriesOf(watched, range);
      await findings.note(watched, problems, "new entries");
      // Before they count as verified: they may acknowledge something, and are looked at again if that cannot be read.
      if (watched.problems.length > 0) await findings.settle(watched);
      watched.verified = { seq: range.to, hash: lastHash, seenAt: new Date() };
      watched.movedAt = performance.now();
      if (lastHash !== undefined) heads.record(ledger, { seq: range.to, hash: lastHash });
      if (range.to < last) agenda.addGrown(ledger);
    } else if (watched.problems.length > 0) await findings.settle(watched);
    watched.checkedAt = new Date();
    watched.changed();
  }

  /** Verifies the end of a ledger again, and compares the ledger with all known heads. */
  async function checkTail(watched: Watched): Promise<void> {
    const { ledger } = watched;
    const { known, problems } = await knownHeads(ledger);
    const look = await lookAt(pool, ledger, known, true);
    const isCut = look.last < watched.verified.seq;
    const to = isCut ? look.last : watched.verified.seq;
    const from = to > REACH ? to - REACH + 1n : 1n;
    const found = to === 0n ? [] : (await entriesOf(watched, { from, to })).problems;
    await findings.note(watched, [...look.problems, ...problems, ...found], "end");
    if (watched.problems.length > 0) await findings.settle(watched);
    watched.checkedAt = new Date();
    watched.changed();
  }

  /** A ledger that rests is verified ever more rarely. */
  function scheduleTail(watched: Watched): void {
    const now = performance.now();
    watched.tailDue =
      now + Math.min(Math.max(now - watched.movedAt, tailIntervalMs), Math.max(wholeIntervalMs, tailIntervalMs));
  }

  async function verify(watched: Watched, what: "grown" | "tail"): Promise<void> {
    const isFirst = watched.looked === undefined;
    // Also when an append has begun to look: until that has ended, it is not known from where on to verify.
    await looked(watched);
    try {
      if (isFirst) await checkEntriesUpTo(watched, watched.reach);
      else if (what === "tail") await checkTail(watched);
      else await checkGrown(watched);
    } catch (error) {
      await noteDamage(watched, error, what === "tail" ? "end" : "new entries");
    }
  }

  return { looked, verify, scheduleTail };
}

/** A long ledger of which no head is known: what was cut off or rewritten before cannot be noticed. */
function headless(
  { last }: Look,
  known: readonly KnownHead[],
  problems: readonly WatchProblem[],
): readonly WatchProblem[] {
  if (known.length > 0 || problems.length > 0 || last <= REACH) return [];
  const detail =
    "this server knows no head of the ledger from before: whether it was cut or rewritten cannot be said. " +
    "Restore DATA_DIR/heads, or compare the ledger with an export";
  return [{ verdict: "UNVERIFIABLE", seq: undefined, detail, warning: true }];
}
