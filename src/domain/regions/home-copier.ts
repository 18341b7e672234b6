import { asError } from "../../errors.ts";
import { type CopiedEntry, HOME_COPY_ID } from "../../facts/areas/regions.ts";
import { stateIn } from "../../facts/decode.ts";
import { type LedgerId, ledgerOf, parseEntry } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import { sha256Hex } from "../../facts/hash.ts";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Queryable } from "../../ledger/read.ts";
import { readStates } from "../../ledger/states.ts";
import type { Logger } from "../../log.ts";
import type { CommitFunction } from "../commit.ts";
import { isUnreachable, withLedgerErrors } from "../ledger-errors.ts";
import type { HomeChanges, HomeSince, HomeSource } from "./home-source.ts";

export interface HomeCopierOptions {
  readonly home: HomeSource & { readonly region: string };
  /** Where copies are recorded. */
  readonly region: string;
  readonly db: Queryable;
  readonly commit: CommitFunction;
  readonly log: Pick<Logger, "warn" | "info">;
  /** Milliseconds between two looks at the home ledgers. */
  readonly interval: number;
  /** Milliseconds after which an empty copy is recorded, so that copies do not become too old. */
  readonly renewAfter: number;
}

export interface HomeCopier {
  start(): void;
  /** Copies what there is now. Throws LedgerUnavailableError. */
  copy(): Promise<void>;
  /** The same of one organization, also where it has no ledger in the region yet. */
  copyOne(organization: string): Promise<void>;
  stop(): Promise<void>;
}

/** How far one organization is copied. */
interface Progress {
  /** Of the latest HOME_COPY; 0: there is none. */
  version: number;
  /** Position of the home ledger up to which it was copied, and up to which it was read since. */
  copied: bigint;
  looked: bigint;
  /** Of the entry at `copied`; empty: there is none. */
  hash: string;
  /** When the latest copy was recorded, in milliseconds since the epoch. */
  recordedAt: number;
  /** Position of the latest sign-in that was copied, by the person's id. */
  readonly signIns: Map<string, bigint>;
}

/** Copies that are small enough for one entry. */
interface Part {
  readonly upTo: { readonly seq: bigint; readonly hash: string };
  readonly copies: CopiedEntry[];
}

/** Organizations that may wait to be copied for the first time. */
const MAX_WAITING = 100;
/** Milliseconds that a call waits for that. */
const MAX_WAIT = 5_000;
/** Organizations that one query asks for. */
const PAGE = 500;
/** Maximum length of the copies in one entry, in UTF-16 code units, unless a single copy is longer. */
const MAX_CHARACTERS = 64 * 1024;

/**
 * Records copies of the home ledgers' organization-wide entries in the ledgers of one region: HOME_COPIED, with the entries as they were
 * signed. Organizations without a ledger in the region are not copied.
 */
export function createHomeCopier(options: HomeCopierOptions): HomeCopier {
  const { home, region, db, commit, log, interval, renewAfter } = options;
  const known = new Map<string, Progress>();
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  const failing = new Set<string>();
  let isFailing = false;
  let waiting = 0;
  let isOver = false;

  async function progressOf(organization: string): Promise<Progress> {
    const ledger = ledgerOf(organization, region);
    const [row] = await withLedgerErrors(readStates(db, ledger, "HOME_COPY", [HOME_COPY_ID]));
    const state = row && stateIn(row.latest, "HOME_COPY", HOME_COPY_ID);
    const copied = BigInt(state?.state.seq ?? 0);
    const progress: Progress = {
      version: state?.version ?? 0,
      copied,
      looked: copied,
      hash: state?.state.hash ?? "",
      recordedAt: row === undefined ? 0 : Date.parse(row.latest.recordedAt),
      signIns: known.get(organization)?.signIns ?? new Map(),
    };
    known.set(organization, progress);
    return progress;
  }

  /** Records one copy. Returns whether it was the next one; another server may have recorded it. */
  function record(organization: string, progress: Progress, { upTo, copies }: Part): Promise<boolean> {
    const state = { seq: String(upTo.seq), hash: upTo.hash };
    return commit<Progress, boolean>({
      ledger: ledgerOf(organization, region),
      by: "system",
      load: () => progressOf(organization),
      decide({ version, copied }) {
        if (version !== progress.version || copied !== progress.copied) return { kind: "done", result: false };
        return {
          kind: "record",
          fact: {
            type: "HOME_COPIED",
            home: { ledger: ledgerOf(organization, home.region), after: String(copied), ...state },
            copies: new Erasable(copies),
            states: [{ kind: "HOME_COPY", id: HOME_COPY_ID, version: version + 1, state }],
          },
          result(entry) {
            progress.version = version + 1;
            progress.copied = upTo.seq;
            progress.hash = upTo.hash;
            progress.recordedAt = Date.parse(entry.recordedAt);
            known.set(organization, progress);
            return true;
          },
        };
      },
    });
  }

  async function take(changes: HomeChanges): Promise<void> {
    const { organization, after, upTo, hash, entries, signIns, isOther } = changes;
    if (isOther)
      throw new Error(
        "the home ledger is not the one that was copied: nothing more of it is, until it is that one again",
      );
    const progress = known.get(organization);
    // Another server has recorded a copy meanwhile, or the progress is unknown: the next tick reads what comes next.
    if (progress === undefined || after !== progress.looked || isOver) return;
    if (hash !== undefined) {
      const newer = signIns.filter(({ entry }) => seqOf(entry) > (progress.signIns.get(actorIn(entry)) ?? 0n));
      const end = { seq: upTo, hash };
      const parts = [...partsOf(entries), ...partsOf(newer).map(({ copies }) => ({ upTo: end, copies }))];
      if (parts.length === 0) parts.push({ upTo: end, copies: [] });
      for (const part of parts) if (!(await record(organization, progress, part))) return;
      for (const { entry } of newer) progress.signIns.set(actorIn(entry), seqOf(entry));
    }
    progress.looked = upTo;
    if (failing.delete(organization)) log.info({ region, organization }, "an organization is copied again");
  }

  /** Runs `work` so that an error in the ledger of one organization does not keep others from being copied. */
  async function ofOne(organization: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Other organizations would fail as well.
      if (isUnreachable(error)) throw error;
      // The progress is read again from the database.
      known.delete(organization);
      if (failing.has(organization)) return;
      failing.add(organization);
      log.warn(
        { err: asError(error), region, organization },
        "an organization cannot be copied now; it is tried again",
      );
    }
  }

  async function copyPage(organizations: readonly string[]): Promise<void> {
    const since: HomeSince[] = [];
    for (const organization of organizations) {
      if (isOver) return;
      await ofOne(organization, async () => {
        const { looked, copied, hash, recordedAt } = known.get(organization) ?? (await progressOf(organization));
        const withSignIns = Date.now() - recordedAt > renewAfter;
        since.push({ organization, after: looked, copied: { seq: copied, hash }, withSignIns });
      });
    }
    if (since.length === 0 || isOver) return;
    for await (const changes of home.changes(since)) await ofOne(changes.organization, () => take(changes));
  }

  async function copyAll(): Promise<void> {
    for (let after = ""; !isOver; ) {
      const { rows } = await withLedgerErrors(
        db.query<{ ledger: LedgerId }>(
          "SELECT ledger FROM oc_ledger_head WHERE ledger > $1 AND split_part(ledger, '/', 2) = $2 ORDER BY ledger LIMIT $3",
          [after, region, PAGE],
        ),
      );
      await copyPage(rows.map(({ ledger }) => ledger.slice(0, ledger.indexOf("/"))));
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      after = last.ledger;
    }
  }

  function inTurn(work: () => Promise<void>): Promise<void> {
    const next = running.then(() => (isOver ? undefined : work()));
    running = next.catch(() => undefined);
    return next;
  }

  /** Copies one organization now, unless the home region stopped to respond meanwhile. */
  const first = (organization: string) =>
    inTurn(async () => {
      if (isFailing) throw notNow();
      try {
        await copyPage([organization]);
      } catch (error) {
        isFailing = true;
        known.clear();
        throw error;
      }
    });

  const copy = () => inTurn(copyAll);

  async function tick(): Promise<void> {
    try {
      await copy();
      if (isFailing) log.info({ region }, "the home region is copied again");
      isFailing = false;
    } catch (error) {
      if (!isFailing) {
        log.warn({ err: asError(error), region }, "the home region cannot be copied now; it is tried again");
      }
      isFailing = true;
      // The progress is read again from the database.
      known.clear();
    }
    if (!isOver) timer = setTimeout(tick, interval).unref();
  }

  return {
    start: () => void tick(),
    copy,
    async copyOne(organization) {
      // A caller does not wait for a home region that does not respond.
      if (isFailing || waiting >= MAX_WAITING) throw notNow();
      waiting += 1;
      const copied = first(organization).finally(() => {
        waiting -= 1;
      });
      let late: NodeJS.Timeout | undefined;
      const over = new Promise<never>((_, reject) => {
        late = setTimeout(() => reject(notNow()), MAX_WAIT);
      });
      await Promise.race([copied, over]).finally(() => clearTimeout(late));
    },
    async stop() {
      isOver = true;
      clearTimeout(timer);
      await running;
    },
  };
}

function notNow(): LedgerUnavailableError {
  return new LedgerUnavailableError("the home region cannot be read now; nothing was recorded", 5);
}

const seqOf = (entry: string) => parseEntry(entry).seq;
const actorIn = (entry: string) => String((parseEntry(entry).body.actor as { readonly id?: unknown }).id);

/** `entries` in parts that are small enough for one entry each. */
function partsOf(entries: readonly CopiedEntry[]): Part[] {
  const parts: Part[] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const one of entries) {
    const isFull = size + one.entry.length > MAX_CHARACTERS;
    const copies = isFull ? [one] : [...(parts.pop()?.copies ?? []), one];
    size = isFull ? one.entry.length : size + one.entry.length;
    parts.push({ upTo: { seq: seqOf(one.entry), hash: sha256Hex(one.entry) }, copies });
  }
  return parts;
}
