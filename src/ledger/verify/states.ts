import { type ClientBase, escapeLiteral } from "pg";
import type { LedgerId } from "../../facts/entry.ts";
import type { StoredState } from "../../verify/rows.ts";
import type { Range } from "../../verify/sequence.ts";
import { toInstant } from "../../verify/state-row.ts";
import { SETTINGS, statements } from "./session.ts";

/** A row of oc_state as text, column by column: what threads hand to one another. */
export type StateColumns = readonly (string | null)[];

const COLUMNS = `s.kind, s.id, s.version, s.state, s.status, s.expires_at, s.actor_id, s.on_behalf_of_id, s.conversation,
  s.first_seq, s.updated_seq, s.entries, s.hash`;
const UPDATED_SEQ = 10;
const AS_TEXT = { getTypeParser: () => (value: string) => value };

/** The state rows of a ledger by their last entry, as they were at one moment. */
export interface StateCursor {
  /** The next rows, at most as many as one fetch reads; none at the end. */
  fetch(): Promise<readonly StateColumns[]>;
  /** Begins again. */
  rewind(): Promise<void>;
  close(): Promise<void>;
}

const FETCH_ROWS = 2_000;

/**
 * Opens a cursor over the state rows that list entries in `range`; over all of the ledger when `range` is the whole ledger.
 * Called within a transaction: the rows are those of its snapshot, sorted and kept by the database when it commits. So no
 * snapshot is held for as long as a verification takes.
 */
export async function openStates(
  client: ClientBase,
  ledger: LedgerId,
  range: Range,
  whole: boolean,
): Promise<StateCursor> {
  const part = whole ? "" : `AND s.updated_seq >= ${range.from} AND s.entries[1] <= ${range.to}`;
  await client.query(`DECLARE oc_states SCROLL CURSOR WITH HOLD FOR
    SELECT ${COLUMNS} FROM ONLY public.oc_state s
     WHERE s.ledger = ${escapeLiteral(ledger)} ${part} ORDER BY s.updated_seq`);
  return {
    async fetch() {
      await client.query(`BEGIN READ ONLY;${SETTINGS}`);
      const text = `FETCH FORWARD ${FETCH_ROWS} FROM oc_states`;
      const { rows } = await client.query<(string | null)[]>({ text, rowMode: "array", types: AS_TEXT });
      await client.query("COMMIT");
      return rows;
    },
    async rewind() {
      await client.query("MOVE ABSOLUTE 0 FROM oc_states");
    },
    async close() {
      await client.query("CLOSE oc_states");
    },
  };
}

/** The rows of `things`, in their order; undefined where there is none. Called within a transaction of a verification. */
export async function readStates(
  client: ClientBase,
  ledger: LedgerId,
  things: readonly { readonly kind: string; readonly id: string }[],
): Promise<readonly (StoredState | undefined)[]> {
  const values = [ledger, things.map(({ kind }) => kind), things.map(({ id }) => id)];
  const query = { text: statements.rows, values, rowMode: "array" as const, types: AS_TEXT };
  const { rows } = await client.query<(string | null)[]>(query);
  return rows.map((row) => (row[0] === null ? undefined : toStateRow(row)));
}

/** The position of the last entry of the row's thing; 0 when the column is null. */
export function updatedSeq(row: StateColumns): bigint {
  return BigInt(row[UPDATED_SEQ] ?? 0);
}

/** The row with its columns as what they are: positions as numbers, instants in RFC 3339, the hash as hex digits. */
export function toStateRow(row: StateColumns): StoredState {
  const text = (at: number) => row[at] ?? "";
  return {
    kind: text(0),
    id: text(1),
    version: Number(text(2)),
    state: text(3),
    status: row[4] ?? null,
    expiresAt: row[5] == null ? null : fromTimestamp(row[5]),
    actorId: row[6] ?? null,
    onBehalfOfId: row[7] ?? null,
    conversation: text(8),
    firstSeq: BigInt(text(9)),
    updatedSeq: BigInt(text(UPDATED_SEQ)),
    entries: toPositions(text(11)),
    hash: text(12).replace(/^\\x/, ""),
  };
}

/** `2026-11-22 23:45:27.5+00` as RFC 3339 with six decimals. */
function fromTimestamp(text: string): string {
  return toInstant(text.replace(" ", "T").replace("+00", "Z"));
}

/** The elements of an array of positions. A lower bound other than 1, which the ledger's functions never write, is ignored. */
function toPositions(text: string): bigint[] {
  const list = text.slice(text.indexOf("{") + 1, -1);
  return list === "" ? [] : list.split(",").map((seq) => (/^-?\d+$/.test(seq) ? BigInt(seq) : -1n));
}
