import { describe, expect, it } from "vitest";
import { compilePattern, MAX_INPUT } from "../../../../src/domain/identity/clients/patterns.ts";
import { CLIENT_RULES } from "../../../../src/domain/identity/clients/rules.ts";
import { ConfigurationError } from "../../../../src/errors.ts";

describe("a pattern", () => {
  it.each([
    ["^curl/([\\w.+-]{1,40})", "CURL/8.5.0", "8.5.0"],
    ["^(?:node|undici)(?:/([\\w.]{1,40}))?$", "node/24", "24"],
    ["^a\\(b\\)[^)\\]]{2}c{3}?", "a(b)xxccc", undefined],
    ["^[(*+]{1,3}(x)", "(*+x", "x"],
  ])("%s is accepted and ignores case", (source, text, group) => {
    expect(compilePattern(source).exec(text)?.[1]).toBe(group);
    expect(compilePattern(source).test(text)).toBe(true);
  });

  it.each([
    ["^(", "not a regular expression"],
    ["^[z-a]", "not a regular expression"],
    ["curl", "begin with ^"],
    ["^a|b", "choice outside of a group"],
    ["^(?:a)|b", "choice outside of a group"],
    ["^a*", "without a bound"],
    ["^a+?b", "without a bound"],
    ["^a{2,}", "without a bound"],
    ["^.*$", "without a bound"],
    ["^(a{1,9}){1,9}b", "repeats a group"],
    ["^(?:a|aa){2}$", "repeats a group"],
    ["^(?=a)", "other than plain text"],
    ["^(?!a)b", "other than plain text"],
    ["^(?<=a)b", "other than plain text"],
    ["^(?<name>a)", "other than plain text"],
    ["^(a)\\1", "other than plain text"],
    ["^\\p{L}", "other than plain text"],
    ["^\\u{61}", "other than plain text"],
    ["^a{0,200}a{0,200}a{0,200}b", "too many ways"],
    [`^${"(?:a|a)".repeat(20)}b`, "too many ways"],
    [`^${"a".repeat(400)}`, "longer than"],
  ])("%s is refused", (source, message) => {
    expect(() => compilePattern(source)).toThrow(ConfigurationError);
    expect(() => compilePattern(source)).toThrow(message);
  });

  it("that is accepted at its worst takes no time to speak of", () => {
    const worst = compilePattern("^[ab]{0,400}[ab]{0,300}[ab]?$");
    const started = performance.now();
    expect(worst.test(`${"ab".repeat(MAX_INPUT / 2 - 1)}c`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it("of the product is tried on the beginning of each header", () => {
    const patterns = CLIENT_RULES.rules.flatMap(({ when }) => when.headers.map(([, pattern]) => pattern.source));
    expect(patterns.length).toBeGreaterThan(40);
    expect(patterns.filter((source) => !source.startsWith("^"))).toEqual([]);
  });
});
