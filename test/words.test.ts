import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

const root = path.resolve(import.meta.dirname, "..");

/** Words that only a reader of this project would understand, and the words that engineers expect instead. */
const BANNED: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/\b(?:Personal)?Concern\b/, "a set of records that may be read is a `ReadScope`"],
  [/\bwhose(?=\??:|\s*=|\)|\.\w)/, "as a name: the scopes, the subject or the caller"],
  [/\bRuling\b/, "the result of `decide` is a `Transition` or a `RefusedCommand`"],
  [/\bStanding\b/, "say what it is: access, a status, a role"],
  [/\bwork-?off\b/i, "rows that are due are settled: `settleRows`"],
  [/\breading\(/, "say what the function returns or throws: `withLedgerErrors`"],
  [/\bhangs\b/, "depends on, belongs to, is stalled"],
  [/\bhears?\b|\bheard\b/, "is called with, receives, is unknown"],
  [/\bbelieve[sd]?\b/, "accepts, verifies, trusts"],
  [/\banswers\b/, "returns, responds, results"],
  [/\bgravest\b/, "most important, strictest"],
];

function banned(text: string): readonly string[] {
  return text.split("\n").flatMap((line, at) =>
    BANNED.flatMap(([pattern, why]) => {
      const [found] = pattern.exec(line) ?? [];
      return found === undefined ? [] : [`${at + 1}: "${found}": use plain words (${why})`];
    }),
  );
}

describe("the words of code, documentation and schema", () => {
  it("are noticed when they are of a private dialect", () => {
    const text = "returns the entry whose hash is given\nsearch(db, { whose: scopes })\nexport type Ruling = string;";
    expect(banned(text).map((fault) => fault.split(":", 2).join(":"))).toEqual(['2: "whose"', '3: "Ruling"']);
    expect(banned("it answers the entry, and hangs on to it, says Standing")).toHaveLength(3);
    expect(banned("a statement about understanding, by whose author")).toEqual([]);
  });

  it("are those that engineers expect", () => {
    const patterns = [
      "src/**/*.{ts,js,md,sql}",
      "clients/**/*.{ts,md}",
      "sql/*.{sql,md}",
      "schema/*",
      "*.md",
      "test/**/README.md",
    ];
    const files = globSync(patterns, { cwd: root })
      .map((file) => file.split(path.sep).join("/"))
      .filter((file) => !file.includes("/generated/") && !file.includes("node_modules/") && file !== "CHANGELOG.md");
    expect(files.length).toBeGreaterThan(300);
    const faults = files.flatMap((file) =>
      banned(readFileSync(path.join(root, file), "utf8")).map((fault) => `${file}:${fault}`),
    );
    expect(faults).toEqual([]);
  });
});
