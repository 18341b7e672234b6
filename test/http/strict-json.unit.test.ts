import { describe, expect, it } from "vitest";
import { parseStrictJson, StrictJsonError } from "../../src/http/strict-json.ts";

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

describe("parseStrictJson", () => {
  it.each([
    ["a second member of the same name", '{"a":1,"a":1}'],
    ["a second member of the same name, spelled differently", '{"a":1,"\\u0061":2}'],
    ["a second member of the same name, deep inside", '[{"x":{"b":1,"c":[],"b":2}}]'],
    ["an integer beyond 2^53", "[9007199254740993]"],
    ["a fraction with more digits than a double has", '{"x":0.12345678901234567891}'],
    ["a number too large for a double", "1e400"],
    ["a number too small for a double", "1e-400"],
    ["-0", "-0"],
    ["-0 as a fraction", '{"x":[-0.00]}'],
    ["-0 with an exponent", '{"x":-0e5}'],
    ["-0 in many digits", `-0.${"0".repeat(30)}`],
    ["a lone surrogate, escaped", '"\\ud800x"'],
    ["a lone surrogate in a name", '{"\\udc00":1}'],
    ["U+0000", '"a\\u0000b"'],
    ["65 levels", nested(65)],
    ["100,000 levels", nested(100_000)],
    ["a trailing comma", "[1,]"],
    ["an unfinished text", '{"a":'],
    ["nothing", ""],
    ["a raw NUL", '"\0"'],
    ["a byte order mark", "\uFEFF{}"],
    ["a number with 100,000 digits of exponent", `1e-${"9".repeat(100_000)}`],
  ])("refuses %s", (_, text) => {
    expect(() => parseStrictJson(text)).toThrow(StrictJsonError);
  });

  it.each([
    "[1.50,-0.1,1e2,9007199254740992,123456789012345680000,5e-324,0.0,0e5,-0.5,-1e-5]",
    '{"__proto__":{"a":1},"constructor":2,"toString":null}',
    '["\\ud83d\\ude00","\\\\u0000","\\"","é","\\u00e9"]',
    '[{"a":1},{"a":2},{"b":{"a":3}},"a"]',
    nested(64),
    "null",
    ' { "a" : [ true , false ] } ',
  ])("reads %s as JSON.parse does", (text) => {
    expect(parseStrictJson(text)).toEqual(JSON.parse(text));
  });

  it("makes an own property of __proto__", () => {
    const value = parseStrictJson('{"__proto__":{"polluted":true}}') as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(["__proto__"]);
  });

  it("reports which members lead to a number it refuses", () => {
    expect(() => parseStrictJson('{"a":1,"b":[[],{"x":"y,{","c":2,"d":[0,{},-0]}]}')).toThrow(
      " (b.1.d.2) would change",
    );
    expect(() => parseStrictJson("-0")).toThrow(/at character 0 would change/);
    expect(() => parseStrictJson(`{"${"x".repeat(300)}":-0}`)).toThrow(/at character 304 would change/);
  });

  it("reports where, and quotes nothing", () => {
    expect(() => parseStrictJson('{"secret": 1, "secret": 2}')).toThrow(/character 14$/);
    expect(() => parseStrictJson('{"secret": hush}')).toThrow(/^malformed JSON(?: at character \d+)?$/);
  });
});
