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
  /** Whether anybody began to send it. */
  readonly tried: boolean;
  /** Whether nothing came through to the channel since the last attempt in vain. */
  readonly failing: boolean;
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

// What waits for nothing in the order in which it was queued; what was to wait, in the order in which that is over. As long as messages come through, the
// latter goes first. After one that did not, the former does: it may be only that one which is refused.
const NEXT = `
  SELECT o.action, o.first_seq, o.wanted, o.escalates, o.tried_at IS NOT NULL AS tried, p.failing
    FROM (SELECT coalesce(bool_or(p.failures > 0), false) AS failing,
                 coalesce(bool_or(p.resume_at > statement_timestamp()), false) AS paused
            FROM oc_work.channel_pause p WHERE p.ledger = $1 AND p.channel = $2) p,
         ((SELECT x.*, false AS waited FROM oc_work.outbox x
            WHERE x.ledger = $1 AND x.channel = $2 AND x.not_before = '-infinity' AND x.action <> ALL ($3::uuid[])
            ORDER BY x.first_seq LIMIT 1)
          UNION ALL
          (SELECT x.*, true FROM oc_work.outbox x
            WHERE x.ledger = $1 AND x.channel = $2 AND x.not_before > '-infinity' AND x.not_before <= statement_timestamp()
              AND x.action <> ALL ($3::uuid[])
            ORDER BY x.not_before, x.first_seq LIMIT 1)) o
   WHERE NOT p.paused
   ORDER BY o.waited = p.failing LIMIT 1`;

/** What a channel gets next, unless it is paused; nothing about the actions in `but`. Throws LedgerUnavailableError. */
export async function nextDue(
  db: Queryable,
  ledger: LedgerId,
  channel: string,
  but: readonly string[],
): Promise<Due | undefined> {
  const { rows } = await withLedgerErrors(
    db.query<{
      action: string;
      first_seq: string;
      wanted: number;
      escalates: boolean;
      tried: boolean;
      failing: boolean;
    }>(NEXT, [ledger, channel, but]),
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const { action, first_seq, ...more } = row;
  return { channel, actionId: action, firstSeq: BigInt(first_seq), ...more };
}

// From one channel of a ledger to the next, however much waits for each.
const CHANNELS = `
  WITH RECURSIVE known(ledger, channel) AS (
    SELECT l.id, (SELECT min(o.channel) FROM oc_work.outbox o WHERE o.ledger = l.id) FROM unnest($1::text[]) AS l(id)
    UNION ALL
    SELECT k.ledger, (SELECT min(o.channel) FROM oc_work.outbox o WHERE o.ledger = k.ledger AND o.channel > k.channel)
      FROM known k WHERE k.channel IS NOT NULL)
  SELECT k.ledger, k.channel FROM known k
   CROSS JOIN LATERAL (SELECT FROM oc_work.outbox o
                        WHERE o.ledger = k.ledger AND o.channel = k.channel AND o.not_before <= statement_timestamp()
                        ORDER BY o.not_before LIMIT 1) due
   WHERE NOT EXISTS (SELECT FROM oc_work.channel_pause p
                      WHERE p.ledger = k.ledger AND p.channel = k.channel AND p.resume_at > statement_timestamp())`;

/** The channels of `ledgers` that something has to be sent to now. Throws LedgerUnavailableError. */
export async function dueChannels(
  db: Queryable,
  ledgers: readonly LedgerId[],
): Promise<readonly { readonly ledger: LedgerId; readonly channel: string }[]> {
  if (ledgers.length === 0) return [];
  const { rows } = await withLedgerErrors(
    db.query<{ readonly ledger: LedgerId; readonly channel: string }>(CHANNELS, [ledgers]),
  );
  return rows;
}

const DONE = "DELETE FROM oc_work.outbox WHERE ledger = $1 AND channel = $2 AND action = $3 AND wanted <= $4";
const SENT = `
  UPDATE oc_work.outbox SET escalates = false, attempts = 0, not_before = '-infinity', refusals = 0, refused_at = NULL, problem = NULL
   WHERE ledger = $1 AND channel = $2 AND action = $3`;
const RESUMED = `
  UPDATE oc_work.channel_pause
     SET failures = 0, pauses = 0, refused = NULL, resume_at = NULL, reached_at = clock_timestamp(), problem = NULL
   WHERE ledger = $1 AND channel = $2 AND failures > 0`;

/**
 * A message of `version` was sent, or none has to be: what is wanted of a later one stays. False: nothing was due any more, so another server
 * has sent something meanwhile. Throws LedgerUnavailableError.
 */
export async function done(db: Queryable, ledger: LedgerId, due: Due, version: number): Promise<boolean> {
  const key = [ledger, due.channel, due.actionId];
  const deleted = await withLedgerErrors(db.query(DONE, [...key, version]));
  return deleted.rowCount !== 0 || (await withLedgerErrors(db.query(SENT, key))).rowCount !== 0;
}

/** A message came through. Throws LedgerUnavailableError. */
export async function resume(db: Queryable, ledger: LedgerId, channel: string): Promise<void> {
  await withLedgerErrors(db.query(RESUMED, [ledger, channel]));
}

const BEGIN =
  "UPDATE oc_work.outbox SET tried_at = clock_timestamp() WHERE ledger = $1 AND channel = $2 AND action = $3";

/** Notes that a message is about to be sent: should nobody record what came of it, the other side is asked. Throws LedgerUnavailableError. */
export async function begin(db: Queryable, ledger: LedgerId, { channel, actionId }: Due): Promise<void> {
  await withLedgerErrors(db.query(BEGIN, [ledger, channel, actionId]));
}

/** Milliseconds until the next attempt: twice as long after each of `failures`, from one second to five minutes. */
const backOff = (failures: string) => `1000 * least(300, 2 ^ least(${failures}, 9))`;
/** Until then, or for as long as the other side asked for. */
const pause = (failures: string) => `coalesce($4::float8, ${backOff(failures)}) * interval '1 millisecond'`;

const DOWN = `
  WITH tried AS (UPDATE oc_work.outbox SET tried_at = clock_timestamp(), problem = $5
                  WHERE ledger = $1 AND channel = $2 AND action = $3)
  INSERT INTO oc_work.channel_pause AS p (ledger, channel, failures, pauses, resume_at, problem)
  VALUES ($1, $2, 1, 1, clock_timestamp() + ${pause("0")}, $5)
  ON CONFLICT (ledger, channel) DO UPDATE
     SET failures = p.failures + 1, pauses = p.pauses + 1, problem = excluded.problem,
         resume_at = clock_timestamp() + ${pause("p.pauses")}`;

const MAX_PROBLEM = 500;
const MAX_PAUSE = 3_600_000;

export interface Failure {
  readonly problem: string;
  /** Milliseconds for which the other side asked to be left alone. */
  readonly retryAfter: number | undefined;
}

function recordable({ problem, retryAfter }: Failure): readonly [pause: number | null, problem: string] {
  const pause = retryAfter === undefined ? null : Math.min(MAX_PAUSE, Math.max(0, retryAfter));
  return [pause, problem.slice(0, MAX_PROBLEM).replaceAll("\0", "")];
}

/** The channel could not be reached, or would have refused anything: it is tried again later, with the same notice. Throws LedgerUnavailableError. */
export async function wasDown(db: Queryable, ledger: LedgerId, due: Due, failure: Failure): Promise<void> {
  await withLedgerErrors(db.query(DOWN, [ledger, due.channel, due.actionId, ...recordable(failure)]));
}

// Whether it is the notice or the channel is known by others: as long as no other one came through since, several that are refused are a channel that takes
// nothing. It is paused then, and what it refuses counts against none of them.
const REFUSED = `
  WITH before AS (
    SELECT o.refused_at, p.reached_at, coalesce(p.failures > 0 AND p.refused <> $3, false) AS several,
           NOT EXISTS (SELECT FROM oc_work.outbox x WHERE x.ledger = $1 AND x.channel = $2 AND x.action <> $3
                                                      AND (x.not_before = '-infinity' OR x.refused_at IS NOT NULL)) AS alone
      FROM oc_work.outbox o LEFT JOIN oc_work.channel_pause p ON p.ledger = $1 AND p.channel = $2
     WHERE o.ledger = $1 AND o.channel = $2 AND o.action = $3),
  channel AS (
    INSERT INTO oc_work.channel_pause AS p (ledger, channel, failures, pauses, refused, problem)
    SELECT $1, $2, 1, 0, $3, $5 FROM before
    ON CONFLICT (ledger, channel) DO UPDATE
       SET failures = p.failures + 1, refused = excluded.refused, problem = excluded.problem,
           pauses = p.pauses + (SELECT several::integer FROM before),
           resume_at = CASE WHEN (SELECT several FROM before) THEN clock_timestamp() + ${pause("p.pauses")} END)
  UPDATE oc_work.outbox o
     SET attempts = o.attempts + counts.one, refusals = o.refusals + 1, refused_at = clock_timestamp(),
         not_before = clock_timestamp() + greatest(coalesce($4::float8, 0), ${backOff("o.refusals")}) * interval '1 millisecond', tried_at = clock_timestamp(), problem = $5
    FROM (SELECT ($6 AND (alone OR CASE WHEN refused_at IS NULL THEN NOT several
                                       ELSE coalesce(reached_at >= refused_at, false) END))::integer AS one FROM before) counts
   WHERE o.ledger = $1 AND o.channel = $2 AND o.action = $3
  RETURNING o.attempts`;

/**
 * The other side refused the notice, and may take it later: it is set aside until then, and what is behind it goes on. `counts`: against the notice, unless the
 * channel refuses others as well. Returns the attempts that count; 0 where nothing was due any more. Throws LedgerUnavailableError.
 */
export async function wasRefused(
  db: Queryable,
  ledger: LedgerId,
  due: Due,
  { counts, ...failure }: Failure & { readonly counts: boolean },
): Promise<number> {
  const { rows } = await withLedgerErrors(
    db.query<{ attempts: number }>(REFUSED, [ledger, due.channel, due.actionId, ...recordable(failure), counts]),
  );
  return rows[0]?.attempts ?? 0;
}
