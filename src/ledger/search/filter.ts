import type { JsonValue } from "../../facts/canonical.ts";

/** Conditions an entry must meet, all of them. A member that is undefined or null is no condition. */
export interface EntryFilter {
  readonly actorId?: string | null | undefined;
  /** The id of the person the actor acted for. */
  readonly onBehalfOfId?: string | null | undefined;
  /**
   * The address, at the time, in any case and either Unicode normal form, of the actor or of the person the actor acted for;
   * an erased profile has none.
   */
  readonly actorEmail?: string | null | undefined;
  readonly sessionId?: string | null | undefined;
  /** Entries that changed this action, and refused attempts to. */
  readonly actionId?: string | null | undefined;
  readonly types?: readonly string[] | null | undefined;
  readonly platform?: string | null | undefined;
  readonly tool?: string | null | undefined;
  readonly effect?: string | null | undefined;
  readonly chainHash?: string | null | undefined;
  readonly sourceChainHash?: string | null | undefined;
  /** RFC 3339; both ends belong to the range. */
  readonly recordedFrom?: string | null | undefined;
  readonly recordedTo?: string | null | undefined;
  /**
   * Words separated by white space, in any case and either Unicode normal form, each a part of some recorded value or of a key
   * of an erasable one.
   */
  readonly text?: string | null | undefined;
  /**
   * A JSON fragment that the arguments or the result contain, as PostgreSQL's `jsonb @>` defines it, in either Unicode normal
   * form.
   */
  readonly contains?: JsonValue | undefined;
}

/** Whether `value` is a condition. */
export function given<Value>(value: Value | null | undefined): value is Value {
  return value !== undefined && value !== null;
}

/** The words of `text`, each once. */
export function wordsOf(text: string | null | undefined): readonly string[] {
  return [...new Set(text?.split(/\s+/u).filter((word) => word !== ""))];
}

const TIMES = ["recordedFrom", "recordedTo"] as const;

/** The names of the conditions of a filter, except those on time: these become a range of positions. */
export function conditionNames({ text, ...rest }: EntryFilter): readonly string[] {
  const all = Object.entries({ ...rest, text: wordsOf(text).length === 0 ? undefined : text });
  return all.filter(([name, value]) => given(value) && !TIMES.some((time) => time === name)).map(([name]) => name);
}
