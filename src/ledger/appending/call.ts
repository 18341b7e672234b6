import { DatabaseError, type Pool } from "pg";
import type { Sealed } from "../../facts/commitment.ts";
import type { Condition } from "../../facts/dependencies.ts";
import type { LedgerId } from "../../facts/entry.ts";
import type { WindowCondition } from "../windows.ts";

/**
 * A draft on its way: `id` is the uuid inside `body`. It is recorded before the instant `notAfter`, and only while each
 * thing it depends on has that version and has not expired, and each of its windows comes to what it was evaluated by.
 */
export interface Draft extends Sealed {
  readonly id: string;
  readonly notAfter?: Date | undefined;
  readonly dependencies?: readonly Condition[] | undefined;
  readonly windows?: readonly WindowCondition[] | undefined;
}

/** What became of one draft. Hashes are 64 hex digits. */
export type DraftOutcome =
  /** LATE, WINDOW, or the kind of the thing that stands elsewhere. */
  | { readonly refusal: string }
  | {
      readonly refusal: undefined;
      readonly seq: bigint;
      readonly hash: string;
      readonly prevHash: string;
      readonly recordedAt: string;
    };

const INSTANT = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;

const COLUMNS = `r.failure, r.message, r.first_seq, to_char(r.recorded_at AT TIME ZONE 'UTC', ${INSTANT}) AS recorded_at,
         encode(r.prev_hash, 'hex') AS prev_hash, r.hashes, r.refused`;
const APPEND = `
  SELECT ${COLUMNS}
    FROM oc_ledger_append_each(ARRAY[$1::text], ARRAY[$2::text], ARRAY[$3::text], ARRAY[$4::text], ARRAY[$5::uuid], true) r`;
const APPEND_EACH = `
  SELECT ${COLUMNS}
    FROM oc_ledger_append_each($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[], false) WITH ORDINALITY r
   ORDER BY r.ordinality`;

interface AppendRow {
  readonly first_seq: string | null;
  readonly recorded_at: string | null;
  readonly prev_hash: string | null;
  readonly hashes: string | null;
  readonly refused: string | null;
  /** Why nothing of the batch was recorded. */
  readonly failure: string | null;
  readonly message: string | null;
}

/** What one transaction records in one ledger. `call` is a UUID of its own, by which `callAppendAgain` repeats it. */
export interface LedgerBatch {
  readonly ledger: LedgerId;
  readonly drafts: readonly Draft[];
  readonly call?: string | undefined;
}

/** Appends a batch in one transaction. Returns the outcome of each draft, in order. */
export async function callAppend(
  db: Pick<Pool, "query">,
  ledger: LedgerId,
  drafts: readonly Draft[],
  call?: string,
): Promise<readonly DraftOutcome[]> {
  const values = [ledger, ...texts(drafts), call];
  const result = await db.query<AppendRow>({ name: "oc_ledger_append", text: APPEND, values });
  return outcomesOf(drafts, result.rows[0] as AppendRow);
}

/** SQLSTATE `lock_not_available`: nothing of the batch was recorded, because the head of its ledger was locked. */
export const HEAD_LOCKED = "55P03";

/**
 * Appends batches of several ledgers, no two of one, in one transaction, each by itself: its outcomes, or the error for which nothing of
 * it was recorded, `HEAD_LOCKED` among them. Rejects when nobody knows what became of any.
 */
export async function callAppendEach(
  db: Pick<Pool, "query">,
  batches: readonly LedgerBatch[],
): Promise<readonly (readonly DraftOutcome[] | DatabaseError)[]> {
  const columns = batches.map(({ drafts }) => texts(drafts));
  const values = [
    batches.map(({ ledger }) => ledger),
    columns.map(([bodies]) => bodies),
    columns.map(([, payloads]) => payloads),
    columns.map(([, , conditions]) => conditions),
    batches.map(({ call }) => call ?? null),
  ];
  const { rows } = await db.query<AppendRow>({ name: "oc_ledger_append_each", text: APPEND_EACH, values });
  return batches.map(({ drafts }, index) => {
    const row = rows[index] as AppendRow;
    if (row.failure === null) return outcomesOf(drafts, row);
    return Object.assign(new DatabaseError(row.message ?? "", 0, "error"), { code: row.failure });
  });
}

function outcomesOf(drafts: readonly Draft[], row: AppendRow): readonly DraftOutcome[] {
  const refusals = new Map<number, string>();
  for (const item of row.refused?.split(" ") ?? []) {
    const [ordinal = "", refusal = ""] = item.split(":");
    refusals.set(Number(ordinal), refusal);
  }
  const firstSeq = BigInt(row.first_seq ?? 0);
  const hashes = row.hashes ?? "";
  let prevHash = row.prev_hash ?? "";
  let accepted = 0;
  return drafts.map((_, index) => {
    const refusal = refusals.get(index + 1);
    if (refusal !== undefined) return { refusal };
    const hash = hashes.slice(accepted * 64, accepted * 64 + 64);
    const outcome = { refusal, seq: firstSeq + BigInt(accepted), hash, prevHash, recordedAt: row.recorded_at ?? "" };
    prevHash = hash;
    accepted += 1;
    return outcome;
  });
}

const RETRY = `
  SELECT a.refusal, a.seq, encode(a.hash, 'hex') AS hash, encode(a.prev_hash, 'hex') AS prev_hash,
         to_char(a.recorded_at AT TIME ZONE 'UTC', ${INSTANT}) AS recorded_at
    FROM oc_ledger_append($1::text, $2::text, $3::text, $4::text, $5::bigint, $6::uuid) a
   ORDER BY a.ordinal`;

interface RetryRow {
  readonly refusal: string | null;
  readonly seq: string;
  readonly hash: string;
  readonly prev_hash: string;
  readonly recorded_at: string;
}

/**
 * The same after a commit of unknown outcome: drafts already recorded behind position `after` are found there and
 * reported as what they became. When this returns, `call` records nothing any more, even if the database only gets to it
 * afterwards.
 */
export async function callAppendAgain(
  db: Pick<Pool, "query">,
  ledger: LedgerId,
  drafts: readonly Draft[],
  after: bigint,
  call: string,
): Promise<readonly DraftOutcome[]> {
  const result = await db.query<RetryRow>(RETRY, [ledger, ...texts(drafts), after, call]);
  return result.rows.map((row) =>
    row.refusal === null
      ? {
          refusal: undefined,
          seq: BigInt(row.seq),
          hash: row.hash,
          prevHash: row.prev_hash,
          recordedAt: row.recorded_at,
        }
      : { refusal: row.refusal },
  );
}

// RFC 8785 text holds no raw line feed: JSON escapes it.
function texts(drafts: readonly Draft[]): readonly [bodies: string, payloads: string, conditions: string] {
  return [
    drafts.map((draft) => draft.body).join("\n"),
    drafts.map((draft) => draft.payload).join("\n"),
    conditionsOf(drafts),
  ];
}

/** Many drafts of a batch depend on the same session or chain: it is named once, with the ordinals of the drafts. */
function conditionsOf(drafts: readonly Draft[]): string {
  const deadlines = new Map<number, { readonly notAfter: Date; readonly drafts: number[] }>();
  const dependencies = new Map<string, Condition & { readonly drafts: number[] }>();
  for (const [index, draft] of drafts.entries()) {
    const { notAfter } = draft;
    if (notAfter !== undefined) {
      const deadline = deadlines.get(notAfter.getTime()) ?? { notAfter, drafts: [] };
      deadline.drafts.push(index + 1);
      deadlines.set(notAfter.getTime(), deadline);
    }
    for (const { kind, id, version, state } of draft.dependencies ?? []) {
      const key = `${kind} ${version} ${id} ${state === undefined ? "" : JSON.stringify(state)}`;
      const dependency = dependencies.get(key) ?? { kind, id, version, state, drafts: [] };
      dependency.drafts.push(index + 1);
      dependencies.set(key, dependency);
    }
  }
  const windows = drafts.flatMap((draft, index) =>
    (draft.windows ?? []).map((one) => ({ ...one, after: String(one.after), drafts: [index + 1] })),
  );
  if (deadlines.size === 0 && dependencies.size === 0 && windows.length === 0) return "";
  const conditions = { deadlines: [...deadlines.values()], dependencies: [...dependencies.values()] };
  return JSON.stringify(windows.length === 0 ? conditions : { ...conditions, windows });
}
