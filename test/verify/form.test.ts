import { describe, expect, it } from "vitest";
import {
  canonicalize,
  canonicalizeExtended,
  type JsonObject,
  type JsonValue,
  MAX_DEPTH,
  NotCanonicalError,
} from "../../src/facts/canonical.ts";
import { isSurelyCanonical } from "../../src/verify/canonical-bytes.ts";
import { formProblem } from "../../src/verify/form.ts";

const FRAME = `"ledger":"acme/eu","prevHash":"${"0".repeat(64)}","recordedAt":"2026-11-22T10:00:00.000000Z","seq":"1","v":1}`;
const entry = (body: string) => `{"body":${body},${FRAME}`;

function problem(text: string): string | undefined {
  return formProblem(text, new TextEncoder().encode(text), JSON.parse(text) as JsonValue);
}

/** Numbers from 0 up to, not including, 1, the same for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const WORDS = [
  "",
  "a",
  "b",
  "ab",
  "10",
  "9",
  "é",
  "\u{1f600}",
  "\uffff",
  "\ue000",
  "__proto__",
  'q"\\',
  "\n",
  "\u0001",
];

function anyValue(next: () => number, depth: number): JsonValue {
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)]!;
  const kind = depth > 3 ? next() * 4 : next() * 7;
  if (kind < 1) return pick(WORDS) + pick(WORDS);
  if (kind < 2) return pick([0, 1, -1, 42, 2 ** 53 - 1, -(2 ** 53 - 1), 999_999_999_999_999, 1_234_567_890_123_456]);
  if (kind < 4) return pick([true, false, null, "text"]);
  if (kind < 5) return Array.from({ length: Math.floor(next() * 4) }, () => anyValue(next, depth + 1));
  const members = Array.from({ length: Math.floor(next() * 5) }, () => [
    pick(WORDS) + pick(WORDS),
    anyValue(next, depth + 1),
  ]);
  return Object.fromEntries(members) as JsonObject;
}

/** The definition, which takes its time. */
function isCanonical(text: string, parsed: JsonValue): boolean {
  try {
    return canonicalizeExtended(parsed, { write: () => undefined, integersOnly: true }) === text;
  } catch (error) {
    if (error instanceof NotCanonicalError) return false;
    throw error;
  }
}

/** The same JSON, mostly, in other words. */
const REWORDINGS: readonly ((text: string, at: number) => string)[] = [
  (text, at) => `${text.slice(0, at)} ${text.slice(at)}`,
  (text, at) => `${text.slice(0, at)}\n${text.slice(at)}`,
  (text) => text.replace("\\n", "\\u000a"),
  (text) => text.replace("\\n", "\\u000A"),
  (text) => text.replace("\\u0001", "\\u0001 "),
  (text) => text.replace("é", "\\u00e9"),
  (text) => text.replace("a", "\\u0061"),
  (text) => text.replace("42", "42.0"),
  (text) => text.replace("42", "4.2e1"),
  (text) => text.replace(":0", ":-0"),
  (text) => text.replace("999999999999999", "999999999999999999"),
  (text) => text.replace(/("[^"]*"):([^,{}[\]]+),("[^"]*"):([^,{}[\]]+)/, "$3:$4,$1:$2"),
  (text) => text.replace(/("a[^"]*"):([^,{}[\]]+)/, "$1:$2,$1:$2"),
];

describe("formProblem", () => {
  it("is reported for every text that differs from its canonical form, and for no other", () => {
    const next = random(8785);
    let [canonical, other, sure] = [0, 0, 0];
    for (let round = 0; round < 20_000; round++) {
      const text = canonicalize({ body: { any: anyValue(next, 0) } });
      const body = text.slice('{"body":'.length, -1);
      const reword = REWORDINGS[Math.floor(next() * REWORDINGS.length)]!;
      for (const said of [body, reword(body, Math.floor(next() * body.length))]) {
        if (!said.isWellFormed()) continue; // parted a pair of surrogates, which no UTF-8 can
        let parsed: JsonValue;
        try {
          parsed = JSON.parse(said) as JsonValue;
        } catch {
          continue; // no JSON, which is found before anybody asks for its form
        }
        const expected = isCanonical(said, parsed);
        expect([said, problem(entry(said)) === undefined]).toEqual([said, expected]);
        if (expected) canonical += 1;
        else other += 1;
        if (isSurelyCanonical(new TextEncoder().encode(said))) {
          sure += 1;
          expect([said, expected]).toEqual([said, true]);
        }
      }
    }
    expect(canonical).toBeGreaterThan(20_000);
    expect(other).toBeGreaterThan(3_000);
    // The quick answer is the usual one.
    expect(sure).toBeGreaterThan(canonical / 2);
  });

  it.each([
    ["white space", '{"a": 1}', /not RFC 8785/],
    ["keys out of order", '{"b":1,"a":1}', /not RFC 8785/],
    ["a key twice", '{"a":1,"a":1}', /not RFC 8785/],
    ["a fraction", '{"a":0.5}', /fraction/],
    ["a number with an exponent", '{"a":1e3}', /not RFC 8785/],
    ["an integer beyond 2^53", '{"a":9007199254740993}', /beyond 2\^53/],
    ["minus zero", '{"a":-0}', /not RFC 8785/],
    ["a needless escape", '{"a":"\\/"}', /not RFC 8785/],
    ["a lone surrogate", '{"a":"\\ud800"}', /lone surrogate/],
    ["NUL", '{"a":"\\u0000"}', /NUL/],
    ["NUL in a key", '{"\\u0000":1}', /NUL/],
    ["nesting that is too deep", `${'{"a":'.repeat(65)}1${"}".repeat(65)}`, /nesting deeper than 64/],
    ["nesting beyond every stack", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, /nesting deeper than 64/],
  ])("names %s", (_, body, expected) => {
    expect(problem(entry(body))).toMatch(expected);
  });

  it.each([
    ["a member more", `{"also":1,${entry("{}").slice(1)}`],
    ["a member less", entry("{}").replace(',"seq":"1"', "")],
    ["another member", entry("{}").replace('"seq"', '"position"')],
  ])("names %s", (_, text) => {
    expect(problem(text)).toContain("its members are not");
  });

  it("counts nesting from the body, as writers of bodies do", () => {
    const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
    expect(problem(entry(nested(MAX_DEPTH)))).toBeUndefined();
    expect(canonicalize(JSON.parse(nested(MAX_DEPTH)))).toBe(nested(MAX_DEPTH));
    expect(problem(entry(nested(MAX_DEPTH + 1)))).toMatch(/nesting deeper than 64/);
    expect(() => canonicalize(JSON.parse(nested(MAX_DEPTH + 1)))).toThrow(/nesting deeper than 64/);
  });

  it("is of nothing but an object", () => {
    expect(["[]", "1", "null"].map(problem)).toEqual(Array(3).fill("it is no object"));
  });
});

describe("isSurelyCanonical", () => {
  it("is sure of no two keys that are out of order, escapes among them", () => {
    const starts = ["", "a", "é", '"', "\\", "\n"];
    const ends = ["", "a", "b", '"', "\\", "\b", "\t", "\n", "\f", "\r", "\u0001", "\u007f", "\ue000", "\u{1f600}"];
    const keys = [...new Set(starts.flatMap((start) => ends.map((end) => start + end)))];
    const isPlain = (key: string) => JSON.stringify(key) === `"${key}"` && !/[\ue000\u{1f600}]/u.test(key);
    for (const one of keys) {
      for (const other of keys) {
        const text = `{${JSON.stringify(one)}:1,${JSON.stringify(other)}:2}`;
        const sure = isSurelyCanonical(new TextEncoder().encode(text));
        if (sure) expect([text, one < other]).toEqual([text, true]);
        if (isPlain(one) && isPlain(other)) expect([text, sure]).toEqual([text, one < other]);
      }
    }
  });
});
