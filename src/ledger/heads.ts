import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { asError, DomainError } from "../errors.ts";
import type { LedgerHead, LedgerId } from "../facts/entry.ts";
import { locked, replaceDurably } from "../files.ts";

/**
 * Heads kept outside the database, `<directory>/<organization>__<region>.json`: they contradict a ledger that was rewritten
 * or truncated in the database. A stored head is never replaced by an earlier one or by another one of the same position, and
 * some earlier ones are kept, so that a server that continues to append to a rewritten ledger does not erase the evidence.
 */
export interface KnownHeads {
  /** The furthest head seen. */
  readonly head: LedgerHead | undefined;
  /** Heads seen before, by position, at most 64: many of the recent past, ever fewer of long ago. */
  readonly earlier: readonly LedgerHead[];
}

/** One process's view of the files. Processes may share a directory. */
export interface HeadStore {
  /** Takes note of a head; it is on disk within the interval, or after `flush`. */
  record(ledger: LedgerId, head: LedgerHead): void;
  /** Writes what was noted, durably. Rejects when some file could not be written; it is then still to be written. */
  flush(): Promise<void>;
  /** What is known of `ledger`, on disk or noted. */
  known(ledger: LedgerId): Promise<KnownHeads>;
  /** Flushes and ends the timer. */
  close(): Promise<void>;
}

export interface HeadStoreOptions {
  readonly directory: string;
  /** Milliseconds between a head noted and its file written. */
  readonly interval?: number;
  /** Called when a write in the background failed; it is tried again with the next head. */
  readonly onError: (error: Error) => void;
}

/** A heads file that cannot be read must not pass for one that is not there: somebody may have damaged it. */
export class HeadsUnreadableError extends DomainError<"HEADS_UNREADABLE"> {
  constructor(file: string, cause: unknown) {
    super("HEADS_UNREADABLE", `${file} is not a file of ledger heads; move it away and find out why`, { cause });
  }
}

const MAX_EARLIER = 64;
/** The lock file for writing in the directory. It is never removed. */
const LOCK = ".lock";
/** Files written under one lock: another process may wait for it. */
const PER_LOCK = 64;

function fileOf(directory: string, ledger: LedgerId): string {
  return join(directory, `${ledger.replace("/", "__")}.json`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** Reads what `directory` knows of `ledger`. Throws HeadsUnreadableError. */
export async function readHeads(directory: string, ledger: LedgerId): Promise<KnownHeads> {
  const file = fileOf(directory, ledger);
  try {
    const { head, earlier } = JSON.parse(await readFile(file, "utf8")) as { head: unknown; earlier: unknown };
    if (!Array.isArray(earlier)) throw new SyntaxError("earlier is not a list");
    return { head: parseHead(head), earlier: earlier.map(parseHead) };
  } catch (error) {
    if (isMissing(error)) return { head: undefined, earlier: [] };
    throw new HeadsUnreadableError(file, error);
  }
}

function parseHead(value: unknown): LedgerHead {
  const { seq, hash } = Object(value) as { readonly seq?: unknown; readonly hash?: unknown };
  if (typeof seq !== "string" || !/^[1-9]\d{0,18}$/.test(seq)) throw new SyntaxError("seq is not a position");
  if (typeof hash !== "string" || !/^[0-9a-f]{64}$/.test(hash)) throw new SyntaxError("hash is not 64 hex digits");
  return { seq: BigInt(seq), hash };
}

/** `known` and one head more. A head that is not further than the known one changes nothing. */
export function withHead(known: KnownHeads, head: LedgerHead): KnownHeads {
  if (known.head === undefined) return { head, earlier: [] };
  if (head.seq <= known.head.seq) return known;
  const earlier = [...known.earlier, known.head];
  if (earlier.length > MAX_EARLIER) earlier.splice(leastMissed(earlier, head.seq), 1);
  return { head, earlier };
}

/** Which head to forget: the gap it leaves is the smallest, measured by how long ago it is. Never the first. */
function leastMissed(earlier: readonly LedgerHead[], now: bigint): number {
  let least = 1;
  let smallest = Number.POSITIVE_INFINITY;
  for (let at = 1; at < earlier.length - 1; at++) {
    const gap = Number(earlier[at + 1]!.seq - earlier[at - 1]!.seq) / Number(now - earlier[at]!.seq);
    if (gap < smallest) [least, smallest] = [at, gap];
  }
  return least;
}

export function createHeadStore({ directory, interval = 1_000, onError }: HeadStoreOptions): HeadStore {
  const noted = new Map<LedgerId, LedgerHead>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const writeNoted = async () => {
    const failures: Error[] = [];
    const due = [...noted];
    if (due.length === 0) return;
    await mkdir(directory, { recursive: true });
    for (let at = 0; at < due.length; at += PER_LOCK) {
      await locked(join(directory, LOCK), async () => {
        for (const [ledger, head] of due.slice(at, at + PER_LOCK)) {
          try {
            await writeHead(directory, ledger, head);
            if (noted.get(ledger) === head) noted.delete(ledger);
          } catch (error) {
            failures.push(asError(error));
          }
        }
      });
    }
    const [first] = failures;
    if (first !== undefined) throw first;
  };
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    // One write at a time; a flush that comes meanwhile waits its turn, whatever became of the one before.
    const result = writing.then(writeNoted, writeNoted);
    writing = result;
    return result;
  };
  return {
    record(ledger, head) {
      const before = noted.get(ledger);
      if (before !== undefined && before.seq >= head.seq) return;
      noted.set(ledger, head);
      timer ??= setTimeout(() => flush().catch(onError), interval).unref();
    },
    flush,
    async known(ledger) {
      const onDisk = await readHeads(directory, ledger);
      const head = noted.get(ledger);
      return head === undefined ? onDisk : withHead(onDisk, head);
    },
    close: flush,
  };
}

/** For the holder of the lock. */
async function writeHead(directory: string, ledger: LedgerId, head: LedgerHead): Promise<void> {
  const known = await readHeads(directory, ledger);
  const next = withHead(known, head);
  if (next === known) return;
  const text = JSON.stringify(
    { ledger, head: next.head, earlier: next.earlier },
    (_, value: unknown) => (typeof value === "bigint" ? String(value) : value),
    2,
  );
  await replaceDurably(fileOf(directory, ledger), `${text}\n`);
}
