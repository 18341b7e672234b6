import { beforeAll, describe, expect, it } from "vitest";
import { canonicalize } from "../../src/facts/canonical.ts";
import { hasEscapedName, parseJson } from "../../src/facts/parse-json.ts";

const BACKSLASHED = '{"x":1,"\\\\":2}';
/** Objects of the shape of BACKSLASHED, whose second name is written with an escape. */
const ESCAPED = ["\\n", '\\"', "\\t", "\\u0001", "\\u005c", "\\/"].map((name) => `{"x":1,"${name}":2}`);

// What V8 gets wrong from then on: https://github.com/nodejs/node/issues/63785
beforeAll(() => {
  for (const text of [BACKSLASHED, '{"x":1,"a\\\\":2}', '{"x":1,"\\\\\\\\":2}']) JSON.parse(text);
});

describe("parseJson", () => {
  it.each(ESCAPED)("reads the names of %s after an object with a backslash for a name", (text) => {
    const name = /"x":1,("(?:[^"\\]|\\.)+")/.exec(text)?.[1] ?? "";
    expect(Object.entries(parseJson(text) as object)).toEqual([
      ["x", 1],
      [JSON.parse(name), 2],
    ]);
  });

  it("reads what has no escaped names as JSON.parse does", () => {
    for (const text of ['{"a":"\\n\\"","b":[1,-0,1e21,null,true,{}]}', "[]", '"\\\\"', "1", '["\\"",":"]']) {
      expect(hasEscapedName(text)).toBe(false);
      expect(parseJson(text)).toEqual(JSON.parse(text));
    }
  });

  it("keeps every name and value of text with escaped names, __proto__ among them", () => {
    const text =
      '{ "\\u0000":[1,-0,1e21,null,true,false,{"\\n" :"\\n"}],"__proto__":{"\\r":1},"constructor":"\\ud83d\\ude00" }';
    expect(hasEscapedName(text)).toBe(true);
    const value = parseJson(text) as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(["\0", "__proto__", "constructor"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(value["\0"]).toEqual([1, -0, 1e21, null, true, false, { "\n": "\n" }]);
    expect(canonicalize(value as never)).toBe(
      '{"\\u0000":[1,0,1e+21,null,true,false,{"\\n":"\\n"}],"__proto__":{"\\r":1},"constructor":"😀"}',
    );
  });

  it.each(["", "{", '{"\\n":1,}', '{"\\n":1} // x', "{'a':1}"])("refuses %j as JSON.parse does", (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  });
});

it("refuses what is nested deeper than any parser's stack, also with an escaped name", () => {
  for (const depth of [1_001, 200_000]) {
    const text = `{"\\n":1,"deep":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(() => parseJson(text)).toThrow(SyntaxError);
  }
  expect(parseJson(`{"a\\"b":"[[","deep":${"[".repeat(900)}${"]".repeat(900)}}`)).toHaveProperty(['a"b'], "[[");
});
