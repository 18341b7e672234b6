import { describe, expect, it } from "vitest";
import { isStorable, isText, nameProblem } from "../../src/facts/text.ts";

describe("isStorable", () => {
  it.each([["nothing"], [""], ["two\nlines"], ["\u{1f600}"]])("takes %j", (text) => {
    expect(isStorable(text)).toBe(true);
  });

  it.each([["a\0b"], ["\ud800"], ["\udc00a"]])("refuses %j", (text) => {
    expect(isStorable(text)).toBe(false);
    expect(nameProblem(text, 10)).toBeDefined();
    expect(isText(text, 10)).toBe(false);
  });
});

describe("nameProblem", () => {
  it.each([["a"], ["Mia Li"], ["ü字\u{1f600}"], ["0123456789"], ["नमस्ते"], ["ẹ\u0301"]])("takes %j", (text) => {
    expect(nameProblem(text, 10)).toBeUndefined();
  });

  it.each([
    ["", "must have 1 to 10 characters"],
    ["0123456789a", "must have 1 to 10 characters"],
    [" ", "must have no spaces but single ones between words"],
    [" a", "must have no spaces but single ones between words"],
    ["a  b", "must have no spaces but single ones between words"],
    ["a\t", "has U+0009 as character 2, which cannot be seen: leave it out"],
    ["\u{1f600}\u00a0a", "has U+00A0 as character 2, which cannot be seen: leave it out"],
    ["a\u200bb", "has U+200B as character 2, which cannot be seen: leave it out"],
    ["\u2800", "has U+2800 as character 1, which cannot be seen: leave it out"],
    ["1\u0336", "has U+0336 as character 2, a combining mark where it changes how other characters look: leave it out"],
    ["e\u0308", "must be in Unicode normal form C (NFC)"],
  ])("says of %j what is wrong", (text, problem) => {
    expect(nameProblem(text, 10)).toBe(problem);
  });
});

describe("isText", () => {
  it.each([["a"], [" a\n\tb "], ["a\u200bb"], ["0123456789"]])("takes %j", (text) => {
    expect(isText(text, 10)).toBe(true);
  });

  it.each([[""], [" \n\t"], ["\u00a0"], ["0123456789a"]])("refuses %j", (text) => {
    expect(isText(text, 10)).toBe(false);
  });
});
