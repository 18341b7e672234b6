import { globSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { AUTHENTICATION_REASONS } from "../../src/domain/identity/errors.ts";
import { ERROR_CODES } from "../../src/graphql/base/errors.ts";
import { SIGN_IN_REFUSALS } from "../../src/http/sign-in/errors.ts";

const text = await readFile(new URL("../../schema/errors.md", import.meta.url), "utf8");

/** First and second column of the table under the heading that begins with `heading`. */
function table(heading: string): Record<string, string> {
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
  const rows = [...section.matchAll(/^\| `([A-Z0-9_]+)`\s*\| (.*?)\s*\|/gm)];
  return Object.fromEntries(rows.map(([, code, when]) => [code ?? "", when ?? ""]));
}

const root = path.resolve(import.meta.dirname, "../..");

/** The files whose refusals become user errors. */
const refusing = globSync("src/**/*.ts", { cwd: root })
  .filter((file) => /\bextends Refusal</.test(readFileSync(path.join(root, file), "utf8")))
  .map((file) => file.split(path.sep).join("/"))
  .sort();

/** The codes of an area: what its `errors.ts` exports as `<AREA>_REFUSAL_CODES`. */
async function codesOf(file: string): Promise<readonly string[]> {
  const module = (await import(path.join(root, file))) as Readonly<Record<string, unknown>>;
  const lists = Object.entries(module).filter(([name]) => name.endsWith("_REFUSAL_CODES"));
  expect(lists.length, `${file} has to export its codes as <AREA>_REFUSAL_CODES`).toBe(1);
  return lists.flatMap(([, codes]) => codes as readonly string[]);
}

describe("schema/errors.md", () => {
  it("has every code of a user error of each area, and no other", async () => {
    expect(refusing.filter((file) => !/^src\/domain\/[a-z-]+\/errors\.ts$/.test(file))).toEqual([]);
    expect(refusing).toEqual(
      expect.arrayContaining(["actions", "directory", "sessions"].map((area) => `src/domain/${area}/errors.ts`)),
    );
    const codes = new Set((await Promise.all(refusing.map(codesOf))).flat());
    expect(Object.keys(table("`userErrors")).sort()).toEqual([...codes].sort());
  });

  it("says of each user error when it comes, and what to do", () => {
    const [section = ""] = text.split(/^## /m).filter((part) => part.startsWith("`userErrors"));
    const rows = section.split("\n").filter((line) => line.startsWith("| `"));
    expect(rows.length).toBeGreaterThan(40);
    expect(rows.filter((row) => !/^\| `[A-Z_]+` \| [A-Z][^|]+\. \| [A-Z][^|]+\. \|$/.test(row))).toEqual([]);
  });

  it("has no code of a user error that nothing is refused with", () => {
    const deciding = globSync("src/domain/**/*.ts", { cwd: root })
      .filter((file) => path.basename(file) !== "errors.ts")
      .map((file) => readFileSync(path.join(root, file), "utf8"))
      .join("\n");
    expect(Object.keys(table("`userErrors")).filter((code) => !deciding.includes(`"${code}"`))).toEqual([]);
  });

  it("has rows that are as wide as what they say, so that a new one changes no other", () => {
    expect(text.split("\n").filter((line) => /^\|.* {2,}|^\| -{4,}/.test(line))).toEqual([]);
  });

  it("has every code of signing in with a browser, with its status", () => {
    const told = Object.entries(SIGN_IN_REFUSALS).map(([code, [status, message]]) => [code, `${message} (${status})`]);
    expect(table("Signing in")).toEqual(Object.fromEntries(told));
  });

  it("has every reason why credentials are refused", () => {
    expect(table("Why credentials")).toEqual(AUTHENTICATION_REASONS);
  });

  it("has every code of a GraphQL error, with the meaning in the code", () => {
    expect(table("`errors[]")).toEqual(ERROR_CODES);
  });
});
