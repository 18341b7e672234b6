import type { Prisma } from "../../db/generated/prisma/client.ts";
import { DomainError } from "../../errors.ts";
import type { JsonObject, JsonValue } from "../../facts/canonical.ts";
import { type LedgerEntry, type LedgerId, parseEntry } from "../../facts/entry.ts";
import { type Payload, unseal, valueAt, Withheld, type WithheldBecause } from "../../facts/payload.ts";

/** What the schema shows of an entry, as Pothos has it from Prisma's model. */
export const ENTRY_SELECT = {
  ledger: true,
  seq: true,
  entry: true,
  hash: true,
  payload: { select: { payload: true } },
} as const satisfies Prisma.EntrySelect;

export type EntryNode = Prisma.EntryGetPayload<{ select: typeof ENTRY_SELECT }>;
/** An entry of the ledger or the domain as such a row, without copying: text, hash and payload are computed on first use. */
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

const entries = new WeakMap<EntryNode, LedgerEntry>();
const facts = new WeakMap<LedgerEntry, JsonObject>();

export function entryNode(entry: LedgerEntry): EntryNode {
  return new RowOfEntry(entry);
}

/** The entry of `row`: everything but its hash from the hashed bytes. */
export function entryOf(row: EntryNode): LedgerEntry {
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
      payload: row.payload?.payload as unknown as Payload | undefined,
    };
    entries.set(row, entry);
  }
  return entry;
}

/** The body of an entry with its erasable values in place; those that cannot be shown are marked. */
export function bodyWithValues(entry: LedgerEntry): JsonObject {
  let filled = facts.get(entry);
  if (filled === undefined) {
    filled = unseal(entry.body, entry.payload);
    facts.set(entry, filled);
  }
  return filled;
}

/** One erasable value, without opening the others; undefined when the entry has none there. */
export const revealed: (entry: LedgerEntry, path: string) => JsonValue | Withheld | undefined = valueAt;

/** A value as JSON; one that cannot be shown as its commitment with the reason. */
export function shownJson(value: JsonValue | Withheld | undefined): JsonValue | undefined {
  return value instanceof Withheld ? value.toJson() : value;
}

/** A text; one that cannot be shown as the reason in brackets. */
export function shownText(value: JsonValue | Withheld | undefined): string | undefined {
  if (value instanceof Withheld) return `[${value.problem.toLowerCase()}]`;
  return typeof value === "string" ? value : undefined;
}

/** A value that was asked for is not the one that was recorded, or is gone. */
export class WithheldError extends DomainError<"LEDGER_CORRUPT"> {
  constructor(problem: WithheldBecause) {
    const found =
      problem === "ALTERED" ? "is not the one that was recorded" : "is missing, and nobody ordered its erasure";
    super("LEDGER_CORRUPT", `the stored value ${found}: verify the ledger, and restore it from a backup`);
  }
}
