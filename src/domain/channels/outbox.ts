import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";

/** What is to be sent next to a channel. */
export interface Due {
  readonly channel: string;
  readonly actionId: string;
  /** Position of the entry that queued the notice. */
  readonly firstSeq: bigint;
  readonly wanted: number;
  readonly escalates: boolean;
  readonly attempts: number;
  /** Whether anybody began to send it. */
  readonly tried: boolean;
}

/** What becomes due: a first message, or a later one of a notice that was queued before. */
export interface Wanted {
  readonly channel: string;
  readonly actionId: string;
  readonly firstSeq: bigint;
  readonly version: number;
  /** Set: for people whom the action escalates to then, if it still waits. */
  readonly notBefore?: Date | undefined;
}

// What is due already becomes due for the later version, at the time that it had.
const WANT = `
  INSERT INTO oc_work.outbox AS o (ledger, channel, action, first_seq, wanted, escalates, not_before)
  SELECT $1, w.channel, w.action, w.first_seq, w.version, w.not_before IS NOT NULL, coalesce(w.not_before, '-infinity')
    FROM unnest($2::text[], $3::uuid[], $4::bigint[], $5::integer[], $6::timestamptz[])
         AS w(channel, action, first_seq, version, not_before)
   ORDER BY w.channel, w.action
  ON CONFLICT (ledger, channel, action) DO UPDATE SET wanted = greatest(o.wanted, excluded.wanted)`;

/** Notes what is to be sent. Throws LedgerUnavailableError. */
export async function want(db: Queryable, ledger: LedgerId, wanted: readonly Wanted[]): Promise<void> {
  const unique = new Map<string, Wanted>();
  for (const one of wanted) {
    const key = `${one.actionId} ${one.channel}`;
    const known = unique.get(key);
    unique.set(key, known === undefined ? one : { ...known, version: Math.max(known.version, one.version) });
  }
  if (unique.size === 0) return;
  const all = [...unique.values()];
  await withLedgerErrors(
    db.query(WANT, [
      ledger,
      all.map(({ channel }) => channel),
      all.map(({ actionId }) => actionId),
      all.map(({ firstSeq }) => firstSeq),
      all.map(({ version }) => version),
      all.map(({ notBefore }) => notBefore ?? null),
    ]),
  );
}

const NEXT = `
  SELECT o.action, o.first_seq, o.wanted, o.escalates, o.attempts, o.tried_at IS NOT NULL AS tried FROM oc_work.outbox o
   WHERE o.ledger = $1 AND o.channel = $2 AND o.not_before <= statement_timestamp()
     AND NOT EXISTS (SELECT FROM oc_work.channel_pause p
                      WHERE p.ledger = $1 AND p.channel = $2 AND p.resume_at > statement_timestamp())
   ORDER BY o.first_seq, o.action LIMIT 1`;

/** What a channel gets next, unless it is paused. Throws LedgerUnavailableError. */
export async function nextDue(db: Queryable, ledger: LedgerId, channel: string): Promise<Due | undefined> {
  const { rows } = await withLedgerErrors(
    db.query<{
      action: string;
      first_seq: string;
      wanted: number;
      escalates: boolean;
      attempts: number;
      tried: boolean;
    }>(NEXT, [ledger, channel]),
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { action, first_seq, wanted, escalates, attempts, tried } = row;
  return { channel, actionId: action, firstSeq: BigInt(first_seq), wanted, escalates, attempts, tried };
}

const LEDGERS = `
  SELECT DISTINCT o.ledger FROM (SELECT DISTINCT x.ledger, x.channel FROM oc_work.outbox x
                                  WHERE x.ledger = ANY ($1::text[]) AND x.not_before <= statement_timestamp()) o
   WHERE NOT EXISTS (SELECT FROM oc_work.channel_pause p
                      WHERE p.ledger = o.ledger AND p.channel = o.channel AND p.resume_at > statement_timestamp())`;

/** Those of `ledgers` that have something to be sent now. Throws LedgerUnavailableError. */
export async function ledgersWithDue(db: Queryable, ledgers: readonly LedgerId[]): Promise<readonly LedgerId[]> {
  if (ledgers.length === 0) return [];
  const { rows } = await withLedgerErrors(db.query<{ ledger: LedgerId }>(LEDGERS, [ledgers]));
  return rows.map(({ ledger }) => ledger);
}

const DONE = "DELETE FROM oc_work.outbox WHERE ledger = $1 AND channel = $2 AND action = $3 AND wanted <= $4";
const SENT =
  "UPDATE oc_work.outbox SET escalates = false, attempts = 0, problem = NULL WHERE ledger = $1 AND channel = $2 AND action = $3";
const RESUMED = "DELETE FROM oc_work.channel_pause WHERE ledger = $1 AND channel = $2";

/**
 * A message of `version` was sent, or none has to be: what is wanted of a later one stays. False: nothing was due any more, so another server
 * has sent something meanwhile. Throws LedgerUnavailableError.
 */
export async function done(db: Queryable, ledger: LedgerId, due: Due, version: number): Promise<boolean> {
  const key = [ledger, due.channel, due.actionId];
  const deleted = await withLedgerErrors(db.query(DONE, [...key, version]));
  return deleted.rowCount !== 0 || (await withLedgerErrors(db.query(SENT, key))).rowCount !== 0;
}

/** The channel was reached. Throws LedgerUnavailableError. */
export async function resume(db: Queryable, ledger: LedgerId, channel: string): Promise<void> {
  await withLedgerErrors(db.query(RESUMED, [ledger, channel]));
}

const BEGIN =
  "UPDATE oc_work.outbox SET tried_at = clock_timestamp() WHERE ledger = $1 AND channel = $2 AND action = $3";

/** Notes that a message is about to be sent: should nobody record what came of it, the other side is asked. Throws LedgerUnavailableError. */
export async function begin(db: Queryable, ledger: LedgerId, { channel, actionId }: Due): Promise<void> {
  await withLedgerErrors(db.query(BEGIN, [ledger, channel, actionId]));
}

const ATTEMPTED = `
  UPDATE oc_work.outbox SET attempts = attempts + $4, tried_at = clock_timestamp(), problem = $5
   WHERE ledger = $1 AND channel = $2 AND action = $3`;
// Twice as long each time, from one second to five minutes; or as long as the other side asked for, an hour at most.
const PAUSE = `
  INSERT INTO oc_work.channel_pause AS p (ledger, channel, failures, resume_at, problem)
  VALUES ($1, $2, 1, clock_timestamp() + coalesce($4::float8, 1000) * interval '1 millisecond', $3)
  ON CONFLICT (ledger, channel) DO UPDATE
     SET failures = p.failures + 1, problem = excluded.problem,
         resume_at = clock_timestamp() + coalesce($4::float8, 1000 * least(300, 2 ^ least(p.failures, 9))) * interval '1 millisecond'`;

const MAX_PROBLEM = 500;
const MAX_PAUSE = 3_600_000;

/** An attempt failed: the channel is tried again later. `counts`: against the notice. Throws LedgerUnavailableError. */
export async function failed(
  db: Queryable,
  ledger: LedgerId,
  due: Due,
  failure: { readonly problem: string; readonly counts: boolean; readonly retryAfter: number | undefined },
): Promise<void> {
  const problem = failure.problem.slice(0, MAX_PROBLEM).replaceAll("\0", "");
  const pause = failure.retryAfter === undefined ? null : Math.min(MAX_PAUSE, Math.max(0, failure.retryAfter));
  await withLedgerErrors(db.query(ATTEMPTED, [ledger, due.channel, due.actionId, failure.counts ? 1 : 0, problem]));
  await withLedgerErrors(db.query(PAUSE, [ledger, due.channel, problem, pause]));
}

const QUEUES = `
  SELECT n.name AS channel, p.failures, p.resume_at, coalesce(p.problem, o.problem) AS problem, w.waiting::integer AS waiting
    FROM unnest($2::text[]) AS n(name)
    LEFT JOIN oc_work.channel_pause p ON p.ledger = $1 AND p.channel = n.name
   CROSS JOIN LATERAL (SELECT count(*) AS waiting FROM (SELECT FROM oc_work.outbox o
                        WHERE o.ledger = $1 AND o.channel = n.name LIMIT ${100_001}) c) w
    LEFT JOIN LATERAL (SELECT o.problem FROM oc_work.outbox o WHERE o.ledger = $1 AND o.channel = n.name AND o.problem IS NOT NULL
                        ORDER BY o.first_seq LIMIT 1) o ON true`;

/** What waits for a channel. */
export interface Queue {
  readonly channel: string;
  /** At most 100,001, which stands for more. */
  readonly waiting: number;
  /** Attempts since it was reached last. */
  readonly failures: number;
  /** When it is tried again, where it could not be reached. */
  readonly resumeAt: Date | undefined;
  readonly problem: string | undefined;
}

/** The queues of channels, by name. Throws LedgerUnavailableError. */
export async function queuesOf(
  db: Queryable,
  ledger: LedgerId,
  channels: readonly string[],
): Promise<ReadonlyMap<string, Queue>> {
  const { rows } = await withLedgerErrors(
    db.query<{
      channel: string;
      failures: number | null;
      resume_at: Date | null;
      problem: string | null;
      waiting: number;
    }>(QUEUES, [ledger, channels]),
  );
  return new Map(
    rows.map(({ channel, failures, resume_at, problem, waiting }) => [
      channel,
      { channel, waiting, failures: failures ?? 0, resumeAt: resume_at ?? undefined, problem: problem ?? undefined },
    ]),
  );
}
