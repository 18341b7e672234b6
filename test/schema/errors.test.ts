import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { ACTION_REFUSAL_CODES } from "../../src/domain/actions/errors.ts";
import { DIRECTORY_REFUSAL_CODES } from "../../src/domain/directory/errors.ts";
import { AUTHENTICATION_REASONS } from "../../src/domain/identity/errors.ts";
import { SESSION_REFUSAL_CODES } from "../../src/domain/sessions/errors.ts";
import { ERROR_CODES } from "../../src/graphql/base/errors.ts";
import { SIGN_IN_REFUSALS } from "../../src/http/sign-in/errors.ts";

const text = await readFile(new URL("../../schema/errors.md", import.meta.url), "utf8");

/** First and second column of the table under the heading that begins with `heading`. */
function table(heading: string): Record<string, string> {
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
  const rows = [...section.matchAll(/^\| `([A-Z0-9_]+)`\s*\| (.*?)\s*\|/gm)];
  return Object.fromEntries(rows.map(([, code, when]) => [code ?? "", when ?? ""]));
}

describe("schema/errors.md", () => {
  it("has every code of a user error, and no other", () => {
    const codes = new Set<string>([...ACTION_REFUSAL_CODES, ...SESSION_REFUSAL_CODES, ...DIRECTORY_REFUSAL_CODES]);
    expect(Object.keys(table("`userErrors")).sort()).toEqual([...codes].sort());
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
