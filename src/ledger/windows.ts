import type { LedgerId } from "../facts/entry.ts";
import type { Queryable } from "./read.ts";

/** Some of the proposals of a ledger that record measures, whenever they were recorded. */
export interface WindowScope {
  /** `id` is who proposed, or the person it was for (who proposed, where there is none); of an organization: all. */
  readonly scope: "agent" | "person" | "organization";
  readonly id: string;
  /** Only those of this platform, and of this tool. */
  readonly platform?: string | undefined;
  readonly tool?: string | undefined;
  /** What is added up; undefined: they are counted. */
  readonly measure?: string | undefined;
}

/**
 * What a draft was evaluated by: the proposals that were recorded after position `after` come to `value` (exact decimal text). The append
 * refuses it, as kind WINDOW, when they come to anything else.
 */
export interface WindowCondition extends WindowScope {
  readonly after: bigint;
  readonly value: string;
}

/** A window of `seconds`. */
export interface WindowAsked extends WindowScope {
  readonly ledger: LedgerId;
  readonly seconds: number;
  /** What it came to before: only what has changed since is read. Not with `at`. */
  readonly from?: Pick<WindowRead, "value" | "head" | "since"> | undefined;
  /** An entry before which it ends, in place of now: its position, and when it was recorded. */
  readonly at?: { readonly seq: bigint; readonly recordedAt: string } | undefined;
}

/** What a window came to: as an exact decimal text, at `now` by the database's clock, with all entries up to position `head`. */
export interface WindowRead {
  readonly value: string;
  readonly now: Date;
  readonly head: bigint;
  /** When it begins, as the database writes instants. */
  readonly since: string;
}

/** Entries since `from` beyond which a window is read as a whole. */
const MOST_MOVED = 20_000;

// One round trip for all windows of all calls. Numbers of position as texts: JSON has no bigint.
const READ = {
  name: "oc_windows",
  text: `
    SELECT w.n, m.now, m.head, m.since::text AS since, r.value::text AS value
      FROM json_to_recordset($1::json) AS w(n integer, ledger text, seconds bigint, seq bigint, at timestamptz, scope text, id text,
                                            platform text, tool text, measure text, head bigint, began timestamptz, had numeric)
     CROSS JOIN LATERAL (
            SELECT x.now, x.head, coalesce(w.at, x.now) - make_interval(secs => w.seconds) AS since
              FROM (SELECT statement_timestamp() AS now, coalesce((SELECT h.seq FROM oc_ledger_head h WHERE h.ledger = w.ledger), 0) AS head
                    OFFSET 0) x OFFSET 0) m
     CROSS JOIN LATERAL (
            SELECT CASE WHEN m.head - w.head BETWEEN 0 AND ${MOST_MOVED} AND m.since >= w.began
                        THEN w.had + oc_window_moved(w.ledger, w.head, m.head, w.began, m.since, w.scope, w.id, w.platform, w.tool, w.measure)
                        ELSE oc_window(w.ledger, coalesce(w.seq, m.head + 1), m.since, w.scope, w.id, w.platform, w.tool, w.measure, m.head)
                   END AS value OFFSET 0) r
     ORDER BY w.n`,
};

interface Row {
  readonly n: number;
  readonly now: Date;
  readonly head: string;
  readonly since: string;
  readonly value: string;
}

/**
 * What windows came to, in their order. Of one ledger, all have the same `now` and `head`. Computed from entries alone, by the columns and
 * indexes that the database makes of their texts.
 */
export async function readWindowValues(db: Queryable, asked: readonly WindowAsked[]): Promise<readonly WindowRead[]> {
  if (asked.length === 0) return [];
  const questions = asked.map(({ at, from, ...one }, n) => ({
    n,
    ...one,
    seq: at && String(at.seq),
    at: at?.recordedAt,
    head: from && String(from.head),
    began: from?.since,
    had: from?.value,
  }));
  const { rows } = await db.query<Row>({ ...READ, values: [JSON.stringify(questions)] });
  if (rows.length !== asked.length)
    throw new Error(`${asked.length} windows were asked for, and ${rows.length} returned`);
  return rows.map(({ value, now, head, since }) => ({ value, now, head: BigInt(head), since }));
}
