import { parseDocument } from "yaml";
import type { JsonValue } from "../../../facts/canonical.ts";
import { type Leaf, nameLeaf, pointerStep } from "./leaf.ts";
import { sampleOf } from "./tables.ts";

/** `name: value`, `name = value`, `- value`. */
const KEYED =
  /^\s*(?:[-*]\s+)?["']?(?<name>[\p{L}_][\p{L}\p{N}_ .()/-]{0,60}?)["']?\s*(?::(?=\s|$)|=|\t)\s*(?<value>.*)$/u;
const ITEM = /^\s*[-*]\s+(?<value>\S.*)$/;
/** Share of the lines that have to be such. */
const KEYED_SHARE = 0.6;
/** Characters of YAML that are parsed in one go, which nothing can interrupt, and deeper than which it does not nest. */
const MAX_YAML = 32 * 1024;
const MAX_INDENT = 128;

/** Whether `text` looks like YAML or lines of names and values. */
export function looksKeyed(text: string): boolean {
  const lines = sampleOf(text).map((line) => line.slice(0, 500));
  const keyed = lines.filter((line) => KEYED.test(line) || ITEM.test(line));
  return lines.length >= 2 && keyed.length >= lines.length * KEYED_SHARE;
}

/** The values of YAML, or else of each line. */
export function* keyedLines(
  text: string,
  path: string,
  nextRecord: () => number,
  walk: (value: JsonValue, from: string) => Generator<Leaf>,
): Generator<Leaf> {
  const value = yamlOf(text);
  if (value !== undefined) {
    yield* walk(value, `${path}#yaml`);
    return yield* commentsOf(text, `${path}#yaml`, nextRecord());
  }
  let record = nextRecord();
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") record = nextRecord();
    const { groups } = (line.length <= 10_000 && (KEYED.exec(line) ?? ITEM.exec(line))) || { groups: undefined };
    const found = (groups?.value ?? line).trim();
    const name = groups?.name === undefined ? at : groups.name.trim();
    const place = `${path}#lines/${at}${pointerStep(name)}`;
    yield* nameLeaf(name, place, record);
    if (found !== "") yield { path: place, value: found, record };
  }
}

/** The comments of YAML, and whatever follows a `#` in its values. */
function* commentsOf(text: string, path: string, record: number): Generator<Leaf> {
  let count = 0;
  for (const { groups } of text.matchAll(/(?:^|\s)#(?<comment>[^\n]*)/g)) {
    const value = (groups?.comment ?? "").trim();
    if (value !== "") yield { path: `${path}#comment/${count}`, value, record };
    count += 1;
  }
}

/** Anchors, tags, aliases and directives, which the value of YAML has not. */
const UNSEEN = /(?:^|[\s[{,])[&!*%][^\s,[\]{}]/;

/**
 * The value of YAML, whose scalars are all texts: what looks like a number may be one with a zero in front. undefined where that would not have all of
 * the text, as where a name occurs twice.
 */
function yamlOf(text: string): JsonValue | undefined {
  if (text.length > MAX_YAML || nestsDeep(text) || UNSEEN.test(text)) return undefined;
  try {
    const document = parseDocument(text, { schema: "failsafe", uniqueKeys: true, strict: false, logLevel: "silent" });
    if (document.errors.length > 0) return undefined;
    // Aliases are not followed: a few lines of them can mean gigabytes.
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    return typeof value === "object" && value !== null ? (value as JsonValue) : undefined;
  } catch {
    // The parser is recursive, and aliases throw.
    return undefined;
  }
}

/** The parser takes stack for each level. */
function nestsDeep(text: string): boolean {
  return (text.match(/[[{]/g)?.length ?? 0) > MAX_INDENT || /^\s*(?:[-?:]\s+){16}/m.test(text) || / {128}/.test(text);
}
