import type { JsonValue } from "../../../facts/canonical.ts";
import { parseJson } from "../../../facts/parse-json.ts";
import { htmlValues, looksLikeHtml } from "./html.ts";
import type { Leaf } from "./leaf.ts";
import { keyedLines, looksKeyed } from "./lines.ts";
import { csvRows, delimiterOf, hasMarkdownTable, markdownRows } from "./tables.ts";

/** Characters of JSON within a text that are parsed in one go: more than any result has. */
const MAX_PARSED = 16 * 1024 * 1024;

type Walk = (value: JsonValue, from: string, depth: number) => Generator<Leaf>;

/**
 * Reads texts: the values of one that looks like JSON, YAML, key-value lines, CSV, a Markdown table or HTML, and any other as it is. What
 * only looks so loses nothing: its pieces are texts as well. `deepest`: how many texts may hold each other.
 */
export function createTextReader(nextRecord: () => number, deepest: number, walk: Walk) {
  function* parsed(text: string, path: string, depth: number): Generator<Leaf, boolean> {
    if (text.length > MAX_PARSED || !/^\s*[[{]/.test(text) || !/[\]}]\s*$/.test(text)) return false;
    const value = jsonOf(text);
    if (value !== undefined) {
      yield* walk(value, `${path}#json`, depth + 1);
      // Of members with the same name, the value has the last.
      if (namesIn(text) !== membersIn(value)) yield { path, value: text, record: nextRecord() };
      return true;
    }
    const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
    if (lines.length < 2 || !lines.every((line) => /^\s*[[{].*[\]}]\s*$/.test(line))) return false;
    for (const [at, line] of lines.entries()) {
      const one = jsonOf(line);
      if (one === undefined) yield { path: `${path}#json/${at}`, value: line, record: nextRecord() };
      else yield* walk(one, `${path}#json/${at}`, depth + 1);
    }
    return true;
  }

  return function* readText(leaf: Leaf & { readonly value: string }, depth: number): Generator<Leaf> {
    const { path, value: text } = leaf;
    if (depth >= deepest || text.length < 8) return yield leaf;
    if (yield* parsed(text, path, depth)) return;
    if (looksLikeHtml(text)) {
      return yield* htmlValues(text, path, nextRecord, (raw) => readText(raw, depth + 1));
    }
    if (!text.includes("\n")) return yield leaf;
    if (hasMarkdownTable(text)) return yield* markdownRows(text, path, nextRecord);
    const delimiter = delimiterOf(text);
    if (delimiter !== undefined) return yield* csvRows(text, delimiter, path, nextRecord);
    if (looksKeyed(text))
      return yield* keyedLines(text, path, nextRecord, (value, from) => walk(value, from, depth + 1));
    yield leaf;
  };
}

/** Names of members in JSON. */
function namesIn(text: string): number {
  let count = 0;
  for (const { 1: colon } of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g)) if (colon !== undefined) count += 1;
  return count;
}

function membersIn(value: JsonValue): number {
  const open = [value];
  let count = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== "object" || next === null) continue;
    const members = Object.values(next) as JsonValue[];
    if (!Array.isArray(next)) count += members.length;
    for (const member of members) open.push(member);
  }
  return count;
}

function jsonOf(text: string): JsonValue | undefined {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
