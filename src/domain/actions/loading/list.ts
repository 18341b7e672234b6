import type { LedgerId } from "../../../facts/entry.ts";
import { type RecordedBounds, readWindows } from "../../../ledger/months.ts";
import type { Queryable } from "../../../ledger/read.ts";
import { actionInScope, type Bind, entryInScope, type ReadScope } from "../../../ledger/read-scope.ts";
import { withListErrors } from "../../ledger-errors.ts";
import { scopesOf, type Viewer } from "../../visibility/visibility.ts";
import type { ActionView } from "../action.ts";
import { ACTION_COLUMNS, type ActionRow, openViews, toView } from "./store.ts";

/** Actions read for one page at most, when they are filtered by a condition that the database cannot evaluate. */
const MAX_READ = 1_000;
const BATCH = 100;

export interface ActionRange {
  /** Any of these; every status when undefined. */
  readonly statuses?: readonly string[] | undefined;
  /** Only what one person approved alone, and of which another has said any of these (`UNREVIEWED`: nothing); all actions when undefined. */
  readonly reviews?: readonly string[] | undefined;
  /** Only actions proposed before this position. */
  readonly before: bigint | undefined;
  readonly limit: number;
}

export interface ActionPage {
  /** The latest proposed first. */
  readonly actions: readonly ActionView[];
  /** The position where reading stopped before the page was full; more may follow. Undefined: the page is complete. */
  readonly stoppedAt: bigint | undefined;
}

/** At most `range.limit` actions of `ledger`, that of the viewer's organization, which `viewer` may read. */
export async function listActions(
  db: Queryable,
  ledger: LedgerId,
  viewer: Viewer,
  range: ActionRange,
): Promise<ActionPage> {
  return { actions: await readPage(db, ledger, viewer, range), stoppedAt: undefined };
}

/**
 * Those of them that `viewer` may approve now. Reads at most a thousand actions, each hundred with one statement and what may be left of
 * it with another one, beside those of `blockedBecause`, which is asked of each hundred in one turn, before and after that.
 *
 * @param blockedBecause of the viewer: see `Actions`
 */
export async function listDecidable(
  db: Queryable,
  ledger: LedgerId,
  viewer: Viewer,
  range: ActionRange,
  blockedBecause: (view: ActionView) => Promise<readonly string[]>,
): Promise<ActionPage> {
  const free = async (views: readonly ActionView[]) => {
    const blocked = await Promise.all(views.map((view) => blockedBecause(view)));
    return views.filter((_, at) => blocked[at]?.length === 0);
  };
  const size = Math.max(range.limit, BATCH);
  const found: ActionView[] = [];
  let { before } = range;
  for (let read = 0; read < MAX_READ; read += size) {
    const batch = await readPage(db, ledger, viewer, { ...range, before, limit: size });
    // With payload and voters there can be more objections, never fewer: only the others have to be opened.
    const opened = await openViews(db, ledger, await free(batch));
    found.push(...(await free(opened)));
    if (found.length >= range.limit) return { actions: found.slice(0, range.limit), stoppedAt: undefined };
    if (batch.length < size) return { actions: found, stoppedAt: undefined };
    before = batch.at(-1)?.proposal.seq;
  }
  return { actions: found, stoppedAt: before };
}

/** At most `limit` pending actions that were proposed before a position and ask `group`, also once they escalate; the latest proposed first. */
export async function listAsked(
  db: Queryable,
  ledger: LedgerId,
  group: string,
  { before, limit }: Pick<ActionRange, "before" | "limit">,
): Promise<readonly ActionView[]> {
  return readWindow(db, ledger, [{ askedGroups: [group] }], { statuses: ["PENDING"], before, limit });
}

async function readPage(db: Queryable, ledger: LedgerId, viewer: Viewer, range: ActionRange): Promise<ActionView[]> {
  const scopes = scopesOf(viewer, ledger);
  // By status or review, state rows say where they are. Else the entries are asked, the latest months first.
  if (range.statuses !== undefined || range.reviews !== undefined) return readWindow(db, ledger, scopes, range);
  const found: ActionView[] = [];
  for (const recorded of await withListErrors(readWindows(db, ledger, { before: range.before }, true))) {
    const rest = { ...range, limit: range.limit - found.length };
    found.push(...(await readWindow(db, ledger, scopes, rest, recorded)));
    if (found.length >= range.limit) break;
  }
  return found;
}

async function readWindow(
  db: Queryable,
  ledger: LedgerId,
  scopes: "everything" | readonly ReadScope[],
  range: ActionRange,
  recorded?: RecordedBounds,
): Promise<ActionView[]> {
  const values: unknown[] = [ledger];
  const bind: Bind = (value) => `$${values.push(value)}`;
  const positions = positionsOf(scopes, range, recorded, bind);
  if (positions.length === 0) return [];
  // Each part is in order, their union is not. UNION drops actions that two parts find. With OFFSET each row is looked up by its key: a
  // plan that joins would read the rows of all actions.
  const text = `
    SELECT ${ACTION_COLUMNS}
      FROM oc_entries_at($1, ARRAY(
             SELECT w.seq FROM (${positions.join("\n                     UNION ")}) w
              ORDER BY w.seq DESC LIMIT ${bind(range.limit)}::bigint)) e
      CROSS JOIN LATERAL (SELECT x.* FROM oc_action x WHERE x.ledger = $1 AND x.id = e.action_id::text OFFSET 0) a
     ORDER BY e.seq DESC`;
  const { rows } = await withListErrors(db.query<ActionRow>(text, values));
  return rows.map((row) => toView(ledger, row));
}

/** One query for each scope (and status), each an index lookup of a whole page of positions. */
function positionsOf(
  scopes: "everything" | readonly ReadScope[],
  range: ActionRange,
  recorded: RecordedBounds | undefined,
  bind: Bind,
): readonly string[] {
  const { statuses, reviews, before, limit } = range;
  const parts = scopes === "everything" ? [undefined] : scopes;
  const first = bind(limit);
  const end = before === undefined ? undefined : bind(before);
  const select = (column: string, from: string, conditions: readonly (string | undefined)[]) => {
    const all = [...conditions, end && `${column} < ${end}::bigint`].filter((condition) => condition !== undefined);
    return `(SELECT ${column} AS seq FROM ${from} WHERE ${all.join(" AND ")} ORDER BY ${column} DESC LIMIT ${first}::bigint)`;
  };
  return parts.flatMap((scope) => {
    if (reviews !== undefined) {
      // Few of a ledger's actions: the key finds all of them.
      const reviewed = `SELECT g.id FROM oc_state g
         WHERE g.ledger = $1 AND g.kind = 'GLASS' AND g.status = ANY (${bind(reviews)}::text[])`;
      return select("s.proposed_seq", "oc_action s", [
        "s.ledger = $1",
        `s.id = ANY (ARRAY(${reviewed}))`,
        statuses && `s.status = ANY (${bind(statuses)}::text[])`,
        scope && actionInScope("s", [scope], bind),
      ]);
    }
    if (statuses !== undefined) {
      const inScope = scope && actionInScope("s", [scope], bind);
      return [...new Set(statuses)].map((status) =>
        select("s.proposed_seq", "oc_action s", ["s.ledger = $1", `s.status = ${bind(status)}::text`, inScope]),
      );
    }
    // By the entries that proposed them: the ledger has those in order, and those of one principal or person together.
    const inScope = scope && entryInScope("e", [scope], bind);
    const bounds = recorded && [
      `e.recorded_at >= ${bind(recorded.from)}::timestamptz`,
      `e.recorded_at < ${bind(recorded.before)}::timestamptz`,
    ];
    const conditions = ["e.ledger = $1", "e.type = 'ACTION_PROPOSED'", inScope, ...(bounds ?? [])];
    return [select("e.seq", "oc_audit_log e", conditions)];
  });
}
