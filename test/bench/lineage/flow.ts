import type { JsonValue } from "../../../src/facts/canonical.ts";
import type { Random } from "./random.ts";

export const KINDS = [
  "verbatim",
  "re-cased",
  "re-formatted",
  "few of many",
  "one in prose",
  "names split or joined",
  "other units",
  "paraphrase",
  "unrelated",
] as const;
export type Kind = (typeof KINDS)[number];

/** What a value is, which decides how it can be written in another way. */
export type ValueType = "NAME" | "EMAIL" | "PHONE" | "DATE" | "MOMENT" | "NUMBER" | "IDENTIFIER" | "TEXT";

/** A value of what was read that a flow may carry on. */
export interface Known {
  readonly type: ValueType;
  readonly value: string | number;
  /** The values of one record may go together. */
  readonly record: number;
  /** Of a name: its parts, where it was read in parts. */
  readonly parts?: readonly [string, string];
}

export interface Read {
  readonly platform: string;
  readonly tool: string;
  readonly arguments: JsonValue;
  readonly result: JsonValue;
  readonly known: readonly Known[];
}

/** Reads of one session, in order, and a write after them. */
export interface Flow {
  readonly kind: Kind;
  readonly reads: readonly Read[];
  readonly write: { readonly platform: string; readonly arguments: JsonValue };
  /** The reads that the write drew from. */
  readonly sources: readonly number[];
  /** Other reads that have one of the values as well: whether they are linked says nothing. */
  readonly alike: readonly number[];
}

/** Something to draw reads from, and a place to write to. */
export interface DataSet {
  readonly name: string;
  /** Reads of one session. */
  session(random: Random): readonly Read[];
  /** What a write to the other platform with these values, among others of its own, has as arguments. */
  write(
    random: Random,
    values: readonly (string | number)[],
  ): { readonly platform: string; readonly arguments: JsonValue };
  /** Further values of a write. */
  others(random: Random): Others;
}

export interface Others {
  /** Found in many reads, which must not link them. */
  readonly common: readonly (string | number)[];
  /** From elsewhere: those that a read of the session happens to have are left out, since it might as well be their source. */
  readonly strange: readonly (string | number)[];
}
