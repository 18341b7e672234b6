import { describe, expect, it } from "vitest";
import { isName, isStorable, isText } from "../../src/facts/text.ts";

describe("isStorable", () => {
  it.each([["nothing"], [""], ["two\nlines"], ["\u{1f600}"]])("takes %j", (text) => {
    expect(isStorable(text)).toBe(true);
  });

  it.each([["a\0b"], ["\ud800"], ["\udc00a"]])("refuses %j", (text) => {
    expect(isStorable(text)).toBe(false);
    expect(isName(text, 10)).toBe(false);
    expect(isText(text, 10)).toBe(false);
  });
});

describe("isName", () => {
  it.each([["a"], ["Mia Li"], ["ü字\u{1f600}"], ["0123456789"]])("takes %j", (text) => {
    expect(isName(text, 10)).toBe(true);
  });

  it.each([[""], [" "], [" a"], ["a\t"], ["a\u00a0"], ["a\u200bb"], ["a\nb"], ["\u2800"], ["0123456789a"]])(
    "refuses %j",
    (text) => {
      expect(isName(text, 10)).toBe(false);
    },
  );
});

describe("isText", () => {
  it.each([["a"], [" a\n\tb "], ["a\u200bb"], ["0123456789"]])("takes %j", (text) => {
    expect(isText(text, 10)).toBe(true);
  });

  it.each([[""], [" \n\t"], ["\u00a0"], ["0123456789a"]])("refuses %j", (text) => {
    expect(isText(text, 10)).toBe(false);
  });
});
