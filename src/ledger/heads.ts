import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { asError, DomainError } from "../errors.ts";
import { isLedgerId, type LedgerHead, type LedgerId } from "../facts/entry.ts";
import { locked, replaceDurably } from "../files.ts";

/** A head as it was seen outside the database. */
export interface KnownHead extends LedgerHead {
  /** When, by the clock of the server that saw it. */
  readonly seenAt: Date;
}

/**
 * Heads kept outside the database, `<directory>/<organization>__<region>.json`: they contradict a ledger that was rewritten
 * or truncated in the database. The furthest head is always kept. Earlier ones are forgotten only while they are entries of the
 * ledger, so that a server that continues to append to a rewritten ledger does not erase the evidence.
 */
export interface KnownHeads {
  /** The furthest head seen. */
  readonly head: KnownHead | undefined;
  /** Heads seen before, by position: many of the recent past, ever fewer of long ago. Two of one position contradict each other. */
  readonly earlier: readonly KnownHead[];
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
  /** Returns which of `heads` are entries of the ledger. */
  readonly standing: (ledger: LedgerId, heads: readonly KnownHead[]) => Promise<readonly KnownHead[]>;
  /** Milliseconds between a head noted and its file written. */
  readonly intervalMs?: number;
  /** Called when a write in the background failed; it is tried again with the next head. */
  readonly onError: (error: Error) => void;
  /** Called when `standing` failed, as it does while the database is away: all heads are kept, and some forgotten later. */
  readonly onNotCompared: (error: Error) => void;
  /** Called when a head was noted that has the position of a known one and another hash. Both are kept. */
  readonly onContradiction: (ledger: LedgerId, head: KnownHead) => void;
}

/** A heads file that cannot be read must not pass for one that is not there: somebody may have damaged it. */
export class HeadsUnreadableError extends DomainError<"HEADS_UNREADABLE"> {
  constructor(file: string, cause: unknown) {
    super("HEADS_UNREADABLE", `${file} is not a file of ledger heads; move it away and find out why`, { cause });
  }
}

/** Earlier heads that are kept, and those from which on some are forgotten: the ledger is then asked once for many. */
const MAX_EARLIER = 64;
const TOO_MANY = 80;
/** The lock file for writing in the directory. It is never removed. */
const LOCK = ".lock";
/** Files written under one lock: another process may wait for it. */
const PER_LOCK = 64;

/** The file of a ledger in a directory with one for each. Throws TypeError for what is no name of a ledger. */
export function fileOf(directory: string, ledger: LedgerId): string {
  // Names come from the database as well, and must not lead out of the directory.
  if (!isLedgerId(ledger)) throw new TypeError(`${JSON.stringify(ledger)} is not the name of a ledger`);
  return join(directory, `${ledger.replace("/", "__")}.json`);
}

/** Whether `error` says that there is no such file. */
export function isMissing(error: unknown): boolean {
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

function parseHead(value: unknown): KnownHead {
  const { seq, hash, seenAt } = Object(value) as Readonly<Record<string, unknown>>;
  if (typeof seq !== "string" || !/^[1-9]\d{0,18}$/.test(seq)) throw new SyntaxError("seq is not a position");
  if (typeof hash !== "string" || !/^[0-9a-f]{64}$/.test(hash)) throw new SyntaxError("hash is not 64 hex digits");
  if (typeof seenAt !== "string" || Number.isNaN(Date.parse(seenAt))) throw new SyntaxError("seenAt is not a time");
  return { seq: BigInt(seq), hash, seenAt: new Date(seenAt) };
}

/** All of them, by position. */
export function allHeads({ head, earlier }: KnownHeads): readonly KnownHead[] {
  return head === undefined ? earlier : [...earlier, head].toSorted(byPosition);
}

const byPosition = (a: LedgerHead, b: LedgerHead) => (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0);

/**
 * `known` and one head more. One that is not further than the known ones changes nothing, unless it has the position of one of
 * them and another hash.
 */
export function withHead(known: KnownHeads, head: KnownHead): KnownHeads {
  if (known.head === undefined) return { head, earlier: [] };
  if (head.seq > known.head.seq) return { head, earlier: [...known.earlier, known.head] };
  if (!isContradicted(known, head)) return known;
  return { head: known.head, earlier: [...known.earlier, head].toSorted(byPosition) };
}

/** Whether these are two entries at one position. */
function isOther(a: LedgerHead, b: LedgerHead): boolean {
  return a.seq === b.seq && a.hash !== b.hash;
}

/** Whether other hashes are known at the position of `head`, and its own is not. */
function isContradicted(known: KnownHeads, head: KnownHead): boolean {
  const there = allHeads(known).filter(({ seq }) => seq === head.seq);
  return there.length > 0 && there.every(({ hash }) => hash !== head.hash);
}

/** `known` with fewer earlier heads. Only those in `standing` are forgotten. */
export function thinned({ head, earlier }: KnownHeads, standing: ReadonlySet<LedgerHead>): KnownHeads {
  const kept = [...earlier];
  const last = head?.seq ?? 0n;
  while (kept.length > MAX_EARLIER) {
    const at = leastMissed(kept, last, standing);
    if (at === undefined) break;
    kept.splice(at, 1);
  }
  return { head, earlier: kept };
}

/** Which head to forget: the gap it leaves is the smallest, measured by how long ago it is. Never the first. */
function leastMissed(
  earlier: readonly KnownHead[],
  last: bigint,
  standing: ReadonlySet<LedgerHead>,
): number | undefined {
  let least: number | undefined;
  let smallest = Number.POSITIVE_INFINITY;
  for (let at = 1; at < earlier.length - 1; at++) {
    const head = earlier[at]!;
    if (!standing.has(head)) continue;
    const gap = Number(earlier[at + 1]!.seq - earlier[at - 1]!.seq) / Number(last - head.seq);
    if (gap < smallest) [least, smallest] = [at, gap];
  }
  return least;
}

/** The files of a directory, which is made with the first of them. */
export function createHeadStore(options: HeadStoreOptions): HeadStore {
  const { directory, intervalMs = 1_000, onError } = options;
  /** The furthest, the last; before it those that contradict another one of the same position. */
  const noted = new Map<LedgerId, readonly KnownHead[]>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const writeNoted = async () => {
    const failures: Error[] = [];
    const due = [...noted];
    if (due.length === 0) return;
    await mkdir(directory, { recursive: true });
    for (let at = 0; at < due.length; at += PER_LOCK) {
      await locked(join(directory, LOCK), async () => {
        for (const [ledger, heads] of due.slice(at, at + PER_LOCK)) {
          try {
            await writeHeads(options, ledger, heads);
            if (noted.get(ledger) === heads) noted.delete(ledger);
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
    record(ledger, { seq, hash }) {
      const before = noted.get(ledger) ?? [];
      const head = { seq, hash, seenAt: new Date() };
      const last = before.at(-1);
      if (last !== undefined && (seq < last.seq || (seq === last.seq && hash === last.hash))) return;
      const contradicting = before.filter((one) => one.seq === seq || before.some((other) => isOther(one, other)));
      noted.set(ledger, [...contradicting, head]);
      timer ??= setTimeout(() => flush().catch(onError), intervalMs).unref();
    },
    flush,
    async known(ledger) {
      const onDisk = await readHeads(directory, ledger);
      return (noted.get(ledger) ?? []).reduce(withHead, onDisk);
    },
    close: flush,
  };
}

/** For the holder of the lock. */
async function writeHeads(
  { directory, standing, onContradiction, onNotCompared }: HeadStoreOptions,
  ledger: LedgerId,
  heads: readonly KnownHead[],
): Promise<void> {
  const known = await readHeads(directory, ledger);
  const contradicting = heads.filter((head, at) => isContradicted(heads.slice(0, at).reduce(withHead, known), head));
  const grown = heads.reduce(withHead, known);
  if (grown === known) return;
  const next =
    grown.earlier.length < TOO_MANY ? grown : await fewer(grown, (some) => standing(ledger, some), onNotCompared);
  const text = JSON.stringify(
    { ledger, head: next.head, earlier: next.earlier },
    (_, value: unknown) => (typeof value === "bigint" ? String(value) : value),
    2,
  );
  await replaceDurably(fileOf(directory, ledger), `${text}\n`);
  for (const head of contradicting) onContradiction(ledger, head);
}

/** Forgets some of `known`; none while they cannot be compared with the ledger. */
async function fewer(
  known: KnownHeads,
  standing: (heads: readonly KnownHead[]) => Promise<readonly KnownHead[]>,
  onNotCompared: (error: Error) => void,
): Promise<KnownHeads> {
  try {
    return thinned(known, new Set(await standing(known.earlier)));
  } catch (error) {
    onNotCompared(asError(error));
    return known;
  }
}
