import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Pool } from "pg";
import type { LedgerHead, LedgerId } from "../../facts/entry.ts";
import { missingProblems } from "../../verify/erasure.ts";
import type { LedgerProblem } from "../../verify/verdict.ts";
import type { KnownHead } from "../heads.ts";
import type { PieceResult, PieceTask } from "../verify/check-piece.ts";
import { endProblems, hashesAt, monthProblems, readEnd } from "../verify/end.ts";
import { inSnapshot, type RunQuery, withConnection } from "../verify/session.ts";
import type { WatchProblem } from "./problems.ts";

const END = readFileSync(new URL("./end.sql", import.meta.url), "utf8");
/** Entries that are checked at a time: what a rest is needed after. */
const STRIDE = 2_000n;

/** Milliseconds that a statement may take: to say what is wrong with a ledger that has many states takes long. */
const LOOK_LIMIT_MS = 600_000;

/** Where a ledger ends, and what that and heads known outside the database say of it. */
export interface Look {
  /** Its last entry; undefined when there is none that its head names. */
  readonly head: LedgerHead | undefined;
  readonly last: bigint;
  readonly problems: readonly WatchProblem[];
}

/** Looks at where a ledger ends, in one moment. `thorough`: also at where its months begin. */
export function lookAt(pool: Pool, ledger: LedgerId, known: readonly KnownHead[], thorough: boolean): Promise<Look> {
  const look = async (run: RunQuery) => {
    const { head, last, problems } = await endOf(run, ledger);
    const history = historyProblem(last, await hashesAt(run, ledger, known), known);
    const months = thorough ? await monthProblems(run, ledger) : [];
    return { head, last, problems: [...problems, ...months, ...(history === undefined ? [] : [history])] };
  };
  return withConnection(pool, (client) => inSnapshot(client, look, LOOK_LIMIT_MS));
}

async function endOf(run: RunQuery, ledger: LedgerId): Promise<Look> {
  const [row] = await run<{ seq: string; hash: string; sound: boolean }>(END, [ledger]);
  if (row?.sound === true)
    return { head: { seq: BigInt(row.seq), hash: row.hash }, last: BigInt(row.seq), problems: [] };
  // Something is wrong, and now it may cost more to say what.
  const end = await readEnd(run, ledger);
  return {
    head: end.entryHash === end.head?.hash ? end.head : undefined,
    last: end.last,
    problems: endProblems(end, undefined),
  };
}

/** What is wrong with history according to heads known outside the database, which are in order. */
function historyProblem(
  last: bigint,
  there: ReadonlyMap<bigint, readonly string[]>,
  known: readonly KnownHead[],
): WatchProblem | undefined {
  const heads = known.filter(({ seq, hash }) => seq > last || there.get(seq)?.includes(hash) !== true);
  const [first] = heads;
  const furthest = heads.at(-1);
  if (first === undefined || furthest === undefined) return undefined;
  if (first.seq > last) {
    const detail = `the ledger was known to reach ${furthest.seq} and ends at ${last}: what came after is gone`;
    return { verdict: last === 0n ? "TRUNCATED" : "ROLLED_BACK", seq: last + 1n, detail, heads };
  }
  const found = there.get(first.seq)?.join(", ") ?? "missing";
  const detail =
    `the entry here was known outside the database as ${first.hash} and is ${found} now: the ledger was rewritten. ` +
    "Compare with an export taken before";
  return { verdict: "CHECKPOINT_INCONSISTENT", seq: first.seq, detail, heads };
}

/** The next entries to check after `after`, up to `last`. */
export function strideAfter(after: bigint, last: bigint): { readonly from: bigint; readonly to: bigint } | undefined {
  if (after >= last) return undefined;
  return { from: after + 1n, to: after + STRIDE < last ? after + STRIDE : last };
}

/** Checks the entries of a range, with the states that they leave and those they depend on. */
export async function checkEntries(
  check: (task: PieceTask) => Promise<PieceResult>,
  ledger: LedgerId,
  range: { readonly from: bigint; readonly to: bigint },
  { keys, limit }: Pick<PieceTask, "keys" | "limit">,
): Promise<{ readonly problems: readonly LedgerProblem[]; readonly lastHash: string | undefined }> {
  // No state rows are given, so that each is looked up by its key: to select them by their entries takes reading all of them.
  const digestKey = randomBytes(16).toString("hex");
  const task = { ledger, range, piece: range, states: [], digestKey, keys, limit, thorough: true };
  const { problems, missing, erased, lastHash } = await check(task);
  return { problems: [...problems, ...missingProblems(missing, erased)], lastHash };
}
