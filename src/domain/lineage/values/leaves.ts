import type { JsonValue } from "../../../facts/canonical.ts";
import { type Leaf, nameLeaf, pathBelow, pointerStep } from "./leaf.ts";
import { createTextReader } from "./texts.ts";

/** What is left to be walked, in order. */
type Open =
  | { readonly path: string; readonly record: number; readonly value: JsonValue }
  | { readonly path: string; readonly record: number; readonly rest: Iterator<readonly [string | number, JsonValue]> };

/** How often text within text is read: JSON in a member of JSON in a member of JSON is, one deeper is not. */
const MAX_NESTED_TEXTS = 3;

/**
 * The numbers and texts of `value` at any depth, in their order. Text that looks like JSON, YAML, key-value lines, CSV, a Markdown
 * table or HTML is read, and its values are given in its place. Names of members are values too, but for those of fields. `true`, `false` and `null` tell nothing, and are left out.
 */
export function* leavesOf(value: JsonValue): Generator<Leaf> {
  let records = 0;
  const nextRecord = () => (records += 1);
  const readText = createTextReader(nextRecord, MAX_NESTED_TEXTS, walk);
  yield* walk(value, "", 0);

  /** Not recursive for JSON: nesting takes no stack. `depth`: how many texts hold it. */
  function* walk(root: JsonValue, from: string, depth: number): Generator<Leaf> {
    const open: Open[] = [{ path: from, record: nextRecord(), value: root }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if ("rest" in next) {
        const { path, record, rest } = next;
        const { value: member, done } = rest.next();
        if (done) continue;
        const place = pathBelow(path, pointerStep(member[0]));
        yield* nameLeaf(member[0], place, record);
        open.push(next, { path: place, record, value: member[1] });
        continue;
      }
      const { path, record, value: found } = next;
      if (typeof found === "string") yield* readText({ path, value: found, record }, depth);
      else if (typeof found === "number") yield { path, value: found, record };
      else if (typeof found === "object" && found !== null) {
        open.push({ path, record: nextRecord(), rest: membersOf(found) });
      }
    }
  }
}

function* membersOf(value: object): Generator<readonly [string | number, JsonValue]> {
  if (Array.isArray(value)) yield* value.entries() as IterableIterator<[number, JsonValue]>;
  else for (const name of Object.keys(value)) yield [name, (value as Record<string, JsonValue>)[name] as JsonValue];
}
