import type { JsonValue } from "../../../facts/canonical.ts";
import { leavesOf } from "./leaves.ts";

/** Values that are gone through for it: some milliseconds. */
const MOST_LEAVES = 20_000;

/** The paths of the values of `value` with these numbers, counted from 1 in the order of `leavesOf`; those that come too late are left out. */
export function leafPaths(value: JsonValue, numbers: ReadonlySet<number>): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  const last = Math.min(MOST_LEAVES, Math.max(0, ...numbers));
  let number = 0;
  if (last === 0) return found;
  for (const { path } of leavesOf(value)) {
    number += 1;
    if (numbers.has(number)) found.set(number, path);
    if (number >= last) break;
  }
  return found;
}
