import { parse } from "graphql";
import { describe, expect, it } from "vitest";
import { checkBrackets } from "../../src/graphql/base/limits.ts";

const open = (count: number) => "[".repeat(count);

describe("checkBrackets", () => {
  it.each([
    `{a(b:${open(98)}1${"]".repeat(98)})}`,
    `{a(b:"${open(200)}")}`,
    `{a(b:"\\"${open(200)}")}`,
    `{a(b:"""${open(200)}"x" ""${open(5)}\\"""${open(200)} """)}`,
    `# ${open(200)}\n{a}`,
    `{a(b:"\\\\")} # ${open(200)}`,
  ])("lets through what is not nested: %#", (source) => {
    expect(() => parse(source)).not.toThrow();
    expect(() => checkBrackets(source)).not.toThrow();
  });

  it.each([
    `{a(b:${open(99)}`,
    `{a(b:"x")${"{b".repeat(100)}`,
    `{a(b:"\\\\"${open(200)}`,
    `{a(b:"""x\\""" """ ${open(200)}`,
    `"\n${open(200)}`,
    `#\r${open(200)}`,
    `""${open(200)}`,
  ])("refuses what is, wherever strings and comments end: %#", (source) => {
    expect(() => checkBrackets(source)).toThrow(/nested deeper/);
  });

  it("takes no longer for a megabyte of anything", () => {
    const started = performance.now();
    for (const piece of ["x", '"', '"""', "\\", '"\\', "#", "[]", '""""']) {
      try {
        checkBrackets(piece.repeat(1_000_000 / piece.length));
      } catch (error) {
        expect(String(error)).toContain("nested deeper");
      }
    }
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
