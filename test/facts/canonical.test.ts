import { randomBytes, randomInt } from "node:crypto";
import oracle from "canonicalize";
import { describe, expect, it } from "vitest";
import {
  CanonicalText,
  canonicalize,
  type JsonValue,
  MAX_DEPTH,
  NotCanonicalError,
} from "../../src/facts/canonical.ts";
import rfc8785 from "../vectors/rfc8785.json" with { type: "json" };

function doubleOf(hex: string): number {
  return Buffer.from(hex, "hex").readDoubleBE();
}

const parse = (text: string) => JSON.parse(text) as JsonValue;

describe("canonicalize on the vectors of RFC 8785", () => {
  it.each(rfc8785.numbers)("writes the double $ieee754 as $text", ({ ieee754, text }) => {
    expect(canonicalize(doubleOf(ieee754))).toBe(text);
  });

  it.each(rfc8785.refused)("refuses the double %s", (ieee754) => {
    expect(() => canonicalize(doubleOf(ieee754))).toThrow(NotCanonicalError);
  });

  it.each(rfc8785.texts)("$name", ({ input, canonical }) => {
    expect(canonicalize(parse(input))).toBe(canonical);
    expect(canonicalize(parse(canonical))).toBe(canonical);
  });

  it("gives the UTF-8 bytes of section 3.2.4", () => {
    const text = rfc8785.texts.find(({ name }) => name === rfc8785.utf8.of);
    expect(Buffer.from(canonicalize(parse(text?.input ?? ""))).toString("hex")).toBe(rfc8785.utf8.hex);
  });
});

/** Text of code points from everywhere, surrogates only in pairs. */
function randomText(): string {
  const limits = [0x20, 0x80, 0x800, 0x10000, 0x110000];
  const point = () => {
    const code = randomInt(limits[randomInt(limits.length)] ?? 0x80);
    return code >= 0xd800 && code < 0xe000 ? 0x22 : code;
  };
  return String.fromCodePoint(...Array.from({ length: randomInt(12) }, point));
}

function randomNumber(): number {
  const value = randomBytes(8).readDoubleBE();
  return Number.isFinite(value) ? value : randomInt(1_000_000);
}

function randomValue(depth: number): JsonValue {
  switch (randomInt(depth > 0 ? 7 : 5)) {
    case 0:
      return null;
    case 1:
      return randomInt(2) === 1;
    case 2:
      return randomNumber();
    case 3:
    case 4:
      return randomText();
    case 5:
      return Array.from({ length: randomInt(6) }, () => randomValue(depth - 1));
    default:
      return Object.fromEntries(Array.from({ length: randomInt(8) }, () => [randomText(), randomValue(depth - 1)]));
  }
}

describe("canonicalize on random values", () => {
  it("agrees with another implementation, and a second pass changes nothing", () => {
    for (let n = 0; n < 3_000; n++) {
      const value = randomValue(5);
      const text = canonicalize(value);
      expect(text).toBe(oracle(value));
      expect(canonicalize(parse(text))).toBe(text);
      expect(parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }
  });

  it("agrees with it on every UTF-16 code unit that is a character, as text and as key", () => {
    for (let unit = 0; unit < 0x10000; unit++) {
      if (unit >= 0xd800 && unit < 0xe000) continue;
      const text = String.fromCharCode(unit);
      if (canonicalize({ [text]: text }) !== oracle({ [text]: text })) expect(unit).toBe("written alike");
    }
  });
});

describe("canonicalize", () => {
  it("omits members that are undefined, and embeds canonical text unchanged", () => {
    const text = new CanonicalText('{"already":1}');
    expect(canonicalize({ b: text, a: undefined, c: [text] })).toBe('{"b":{"already":1},"c":[{"already":1}]}');
  });

  it("keeps members named like parts of a prototype", () => {
    const text = '{"__proto__":{"x":1},"constructor":2,"hasOwnProperty":3,"toString":4}';
    expect(canonicalize(parse(text))).toBe(text);
    expect(canonicalize(Object.assign(Object.create(null), { a: 1 }) as JsonValue)).toBe('{"a":1}');
  });

  const refused: readonly (readonly [string, unknown, readonly string[]])[] = [
    ["a lone surrogate", { a: ["ok", "\ud800"] }, ["a", "1"]],
    ["a lone surrogate in a key", { a: { "\udc00": 1 } }, ["a", "\udc00"]],
    ["a lone surrogate in the wrong order", "\udc00\ud800", []],
    ["NaN", { a: { b: Number.NaN } }, ["a", "b"]],
    ["infinity", [Number.POSITIVE_INFINITY], ["0"]],
    ["a bigint", { a: 1n }, ["a"]],
    ["a function", [() => 1], ["0"]],
    ["undefined in a list", [1, undefined], ["1"]],
    ["undefined itself", undefined, []],
    ["a date", { at: new Date(0) }, ["at"]],
    ["a map", new Map([["a", 1]]), []],
    ["what inherits", Object.create({ a: 1 }), []],
  ];
  it.each(refused)("refuses %s, and reports where it is", (_name, value, path) => {
    try {
      canonicalize(value as JsonValue);
    } catch (error) {
      expect(error).toBeInstanceOf(NotCanonicalError);
      expect((error as NotCanonicalError).path).toEqual(path);
      expect((error as NotCanonicalError).message).toContain(path.join("."));
      return;
    }
    expect.unreachable();
  });

  it("refuses nesting beyond the limit without exhausting the stack", () => {
    const nest = (depth: number) => {
      let value: JsonValue = 1;
      for (let n = 0; n < depth; n++) value = n % 2 === 0 ? [value] : { a: value };
      return value;
    };
    expect(canonicalize(nest(MAX_DEPTH))).toContain("1");
    expect(() => canonicalize(nest(MAX_DEPTH + 1))).toThrow("nesting deeper than 64");
    expect(() => canonicalize(nest(100_000))).toThrow(NotCanonicalError);
  });
});
