import { describe, expect, it } from "vitest";
import { combine, createSetDigest, EMPTY_DIGEST } from "../../src/verify/digest.ts";
import { sha256 } from "./ledger.ts";

const KEY = "k".repeat(32);
function digestOf(texts: readonly string[], key = KEY): string {
  const digest = createSetDigest(key, sha256);
  for (const text of texts) digest.add(text);
  return digest.value();
}

describe("createSetDigest", () => {
  it("does not depend on the order, or on how a set is parted", () => {
    const texts = Array.from({ length: 50 }, (_, at) => `text ${at} ${"é".repeat(at * 100)}`);
    const whole = digestOf(texts);
    expect(whole).toMatch(/^[0-9a-f]{32}$/);
    expect(digestOf(texts.toReversed())).toBe(whole);
    expect(combine(digestOf(texts.slice(0, 20)), digestOf(texts.slice(20)))).toBe(whole);
  });

  it("is empty of what was added twice, and of nothing else", () => {
    expect(digestOf([])).toBe(EMPTY_DIGEST);
    expect(digestOf(["a", "b", "b", "a"])).toBe(EMPTY_DIGEST);
    expect(digestOf(["a", "b", "a"])).toBe(digestOf(["b"]));
    expect(digestOf(["a"])).not.toBe(digestOf(["b"]));
  });

  it("is another one under another key", () => {
    expect(digestOf(["a"], "l".repeat(32))).not.toBe(digestOf(["a"]));
  });
});
