import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";

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
