import DataLoader from "dataloader";
import { LRUCache } from "lru-cache";
import type { LedgerId } from "../../../facts/entry.ts";
import type { Queryable } from "../../../ledger/read.ts";
import { withLedgerErrors } from "../../ledger-errors.ts";
import type { Channel } from "../decide/command.ts";

/**
 * When the server first sent a person what a pending action would do (its text, arguments or digest), by the clock of the database, and by
 * which channel. Not that they looked at it.
 */
export interface Shown {
  readonly at: Date;
  readonly channel: Channel;
}

/**
 * Which pending actions people were sent, whether they may decide them or not. Of servers that send one to a person within the same moment, any
 * may be remembered as the first. Losing what it remembers omits it from decisions, or makes it later, and permits nothing.
 */
export interface FirstShown {
  /** Remembers that this person is shown the action now; what was remembered before stays. Writes later, and once for each. */
  note(ledger: LedgerId, actionId: string, principalId: string, channel: Channel): void;
  /** When this person was first shown the action. Throws LedgerUnavailableError. */
  of(ledger: LedgerId, actionId: string, principalId: string): Promise<Shown | undefined>;
}

/** Milliseconds until what was noted is written. */
const DELAY = 100;
/** Notes that are written in one statement, and notes that wait at most: beyond them, none is taken until there is room. */
const BATCH = 1_000;
const WAITING = 10_000;
/** Who was shown what, so that it is written once: the least recently noted is written again, which changes nothing. */
const KNOWN = 100_000;

// A note says how many milliseconds ago it was made: so that all times are of the database's clock.
const INSERT = `
  INSERT INTO oc_work.first_shown AS f (ledger, principal, action, channel, shown_at)
  SELECT $1, n.principal, n.action, n.channel, clock_timestamp() - n.ago * interval '1 millisecond'
    FROM unnest($2::text[], $3::uuid[], $4::text[], $5::float8[]) AS n(principal, action, channel, ago)
   ORDER BY n.principal, n.action
  ON CONFLICT (ledger, principal, action) DO NOTHING`;
const READ = {
  name: "oc_read_first_shown",
  text: `
    SELECT n.at::integer AS at, f.channel, f.shown_at
      FROM unnest($1::text[], $2::text[], $3::uuid[]) WITH ORDINALITY AS n(ledger, principal, action, at)
      JOIN oc_work.first_shown f USING (ledger, principal, action)`,
};
// Longer than people can have to decide.
const DELETE_OLD = `
  DELETE FROM oc_work.first_shown WHERE ctid = ANY (ARRAY(
    SELECT f.ctid FROM oc_work.first_shown f WHERE f.shown_at <= statement_timestamp() - interval '400 days'
     ORDER BY f.shown_at LIMIT $1 FOR UPDATE SKIP LOCKED))`;

interface Key {
  readonly ledger: LedgerId;
  readonly actionId: string;
  readonly principalId: string;
}
interface Row {
  readonly at: number;
  readonly channel: Channel;
  readonly shown_at: Date;
}
interface Note extends Key {
  readonly channel: Channel;
  /** As `performance.now()` has it. */
  readonly at: number;
}

const keyOf = ({ ledger, actionId, principalId }: Key) => JSON.stringify([ledger, actionId, principalId]);

export function createFirstShown({ db }: { readonly db: Queryable }): FirstShown {
  const known = new LRUCache<string, true>({ max: KNOWN });
  let waiting: Note[] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function write(notes: readonly Note[]): Promise<void> {
    for (const [ledger, all] of Map.groupBy(notes, (note) => note.ledger)) {
      const now = performance.now();
      try {
        await db.query(INSERT, [
          ledger,
          all.map(({ principalId }) => principalId),
          all.map(({ actionId }) => actionId),
          all.map(({ channel }) => channel),
          all.map(({ at }) => now - at),
        ]);
      } catch {
        // Nothing rests on it: it is noted again when it is shown again.
        for (const note of all) known.delete(keyOf(note));
      }
    }
  }

  /** Writes what waits, behind what is being written. */
  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const notes = waiting;
    waiting = [];
    writing = writing.then(async () => {
      for (let from = 0; from < notes.length; from += BATCH) await write(notes.slice(from, from + BATCH));
    });
    return writing;
  }

  // Decisions that are made together are read together.
  const reader = new DataLoader<Key, Shown | undefined>(
    async (keys) => {
      if (keys.some(({ principalId }) => waiting.some((note) => note.principalId === principalId))) await flush();
      else await writing;
      const values = [
        keys.map(({ ledger }) => ledger),
        keys.map(({ principalId }) => principalId),
        keys.map(({ actionId }) => actionId),
      ];
      const { rows } = await withLedgerErrors(db.query<Row>({ ...READ, values }));
      const found = new Map(rows.map(({ at, channel, shown_at }) => [at, { at: shown_at, channel }]));
      return keys.map((_, at) => found.get(at + 1));
    },
    { cache: false, maxBatchSize: BATCH },
  );

  return {
    note(ledger, actionId, principalId, channel) {
      const note = { ledger, actionId, principalId, channel, at: performance.now() };
      const key = keyOf(note);
      if (waiting.length >= WAITING || known.has(key)) return;
      known.set(key, true);
      waiting.push(note);
      timer ??= setTimeout(() => void flush(), DELAY).unref();
    },
    of: (ledger, actionId, principalId) => reader.load({ ledger, actionId, principalId }),
  };
}

/** What is known of a decision at `now` about what was proposed then: nothing where it cannot be so. */
export function plausible(shown: Shown | undefined, proposedAt: string, now: Date): Shown | undefined {
  return shown !== undefined && shown.at <= now && shown.at >= new Date(proposedAt) ? shown : undefined;
}

/** Forgets at most `limit` that are older than any action that waits. Returns whether more may be. */
export async function deleteOldShown(db: Queryable, limit: number): Promise<boolean> {
  const { rowCount } = await db.query(DELETE_OLD, [limit]);
  return rowCount === limit;
}
