import type { JsonObject } from "../../../facts/canonical.ts";
import { isSame } from "../../../facts/members.ts";
import { fromTo, named, shown } from "./wording.ts";

/**
 * What a change does, taken by itself: it permits more, or asks fewer people or others (`loosens`), it could, because conditions decide
 * (`may loosen`), or it cannot.
 */
export type Effect = "loosens" | "may loosen" | undefined;

/** The effects, that of which an approver must know first coming first. */
export const EFFECTS: readonly Effect[] = ["loosens", "may loosen", undefined];

export interface Change {
  readonly effect: Effect;
  readonly text: string;
}

/** Those of both documents that have one key, `undefined` where there is none. Keys that are there several times are numbered. */
export function paired<Value>(
  before: readonly Value[],
  after: readonly Value[],
  keyOf: (value: Value) => string,
): readonly (readonly [before: Value | undefined, after: Value | undefined])[] {
  const byKey = (values: readonly Value[]) => {
    const counts = new Map<string, number>();
    return new Map(
      values.map((value) => {
        const key = keyOf(value);
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        return [JSON.stringify([key, count]), value] as const;
      }),
    );
  };
  const [old, now] = [byKey(before), byKey(after)];
  return [...new Set([...old.keys(), ...now.keys()])].toSorted().map((key) => [old.get(key), now.get(key)] as const);
}

/** The member `name`, and nothing that all objects have. */
export const own = <Value>(record: { readonly [name: string]: Value }, name: string): Value | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined;

/** The members of `before` and `after` that differ, but for those in `known`: whatever a document may have, a difference of it is shown. */
export function otherMembers(
  what: string,
  known: readonly string[],
  before: JsonObject,
  after: JsonObject,
): readonly Change[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].toSorted().flatMap((name): readonly Change[] => {
    const [old, now] = [own(before, name), own(after, name)];
    if (known.includes(name) || isSame(old, now)) return [];
    return [{ effect: "may loosen", text: `${what}: ${named(name)} ${fromTo(old, now)}` }];
  });
}

/** Such as `, untrusted true`: members that have no words of their own. */
export function restOf(value: JsonObject, known: readonly string[]): string {
  return Object.entries(value)
    .filter(([name, member]) => !known.includes(name) && member !== undefined)
    .map(([name, member]) => `, ${named(name)} ${shown(member)}`)
    .toSorted()
    .join("");
}
