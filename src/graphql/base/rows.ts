import type { Prisma } from "../../db/generated/prisma/client.ts";
import type { ActionState, ActionView } from "../../domain/actions/action.ts";
import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import { type Payload, unseal } from "../../facts/commitment.ts";
import { type LedgerEntry, type LedgerId, parseEntry } from "../../facts/entry.ts";

/**
 * The two shapes a record comes in: what Pothos reads through Prisma, and what the domain just answered. Resolvers take
 * either. A row made of a domain's answer keeps it, so nothing is parsed, copied or read twice.
 */
export const ENTRY_SELECT = {
  ledger: true,
  seq: true,
  entry: true,
  hash: true,
  payload: { select: { payload: true } },
} as const satisfies Prisma.EntrySelect;

/** An entry without its payload, which can have a megabyte: see `opened` in reads.ts for whoever needs that too. */
const SEALED_SELECT = {
  ledger: true,
  seq: true,
  entry: true,
  hash: true,
} as const satisfies Prisma.EntrySelect;

export const ACTION_SELECT = {
  ledger: true,
  id: true,
  version: true,
  status: true,
  agentId: true,
  onBehalfOfId: true,
  approvals: true,
  expiresAt: true,
  grantId: true,
  grantHash: true,
  grantExpiresAt: true,
  proposedSeq: true,
  updatedSeq: true,
  entries: true,
  proposal: { select: SEALED_SELECT },
} as const satisfies Prisma.ActionSelect;

export type EntryRow = Prisma.EntryGetPayload<{ select: typeof ENTRY_SELECT }>;
type SealedRow = Prisma.EntryGetPayload<{ select: typeof SEALED_SELECT }>;
export type ActionRow = Prisma.ActionGetPayload<{
  select: typeof ACTION_SELECT;
}>;

/** An entry the ledger handed over, as a row. Its text, hash and payload are made only when somebody asks. */
class RowOfEntry {
  readonly of: LedgerEntry;

  constructor(of: LedgerEntry) {
    this.of = of;
  }
  get ledger() {
    return this.of.ledger;
  }
  get seq() {
    return this.of.seq;
  }
  get entry() {
    return this.of.entry;
  }
  get hash() {
    return Uint8Array.from(Buffer.from(this.of.hash, "hex"));
  }
  get payload() {
    return this.of.payload === undefined ? null : { payload: this.of.payload as unknown as Prisma.JsonValue };
  }
}

const entries = new WeakMap<SealedRow, LedgerEntry>();
const sealed = new WeakSet<LedgerEntry>();
const facts = new WeakMap<LedgerEntry, JsonObject>();

export function entryRow(entry: LedgerEntry): EntryRow {
  return new RowOfEntry(entry);
}

/** Whether the payload of `entry` was left in the database: that it has none here says nothing. */
export function isSealed(entry: LedgerEntry): boolean {
  return sealed.has(entry);
}

/** The entry of `row`: everything but its hash from the hashed bytes. */
export function entryOf(row: EntryRow | SealedRow): LedgerEntry {
  if (row instanceof RowOfEntry) return row.of;
  let entry = entries.get(row);
  if (entry === undefined) {
    const { body, prevHash, recordedAt } = parseEntry(row.entry);
    entry = {
      ledger: row.ledger as LedgerId,
      seq: row.seq,
      recordedAt,
      entry: row.entry,
      hash: Buffer.from(row.hash).toString("hex"),
      prevHash,
      type: String(body.type),
      body,
      payload: ("payload" in row ? row.payload?.payload : undefined) as unknown as Payload | undefined,
    };
    if (!("payload" in row)) sealed.add(entry);
    entries.set(row, entry);
  }
  return entry;
}

/** The body of an entry with its erasable values in place. */
export function factsOf(entry: LedgerEntry): JsonObject {
  let filled = facts.get(entry);
  if (filled === undefined) {
    filled = unseal(entry.body, entry.payload);
    facts.set(entry, filled);
  }
  return filled;
}

/** One erasable value, without opening the others; undefined when it was never there or was erased. */
export function revealed(entry: LedgerEntry, path: string): JsonValue | undefined {
  const { payload } = entry;
  return payload !== undefined && Object.hasOwn(payload, path) ? payload[path]?.value : undefined;
}

/** An action the domain answered, as a row. */
class RowOfAction {
  readonly of: ActionView;

  constructor(of: ActionView) {
    this.of = of;
  }
  get ledger() {
    return this.of.proposal.ledger;
  }
  get id() {
    return this.of.state.id;
  }
}

export function actionRow(view: ActionView): ActionRow {
  // Resolvers go through viewOf; Prisma itself, should it ever load more of this row, needs its key alone.
  return new RowOfAction(view) as unknown as ActionRow;
}

const views = new WeakMap<ActionRow, ActionView>();

export function viewOf(row: ActionRow): ActionView {
  if (row instanceof RowOfAction) return row.of;
  let view = views.get(row);
  if (view === undefined) {
    // The projection holds nothing but what the domain wrote there, so its narrower types hold as well.
    view = { state: row as unknown as ActionState, proposal: entryOf(row.proposal) };
    views.set(row, view);
  }
  return view;
}
