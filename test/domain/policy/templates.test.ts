import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { runCases } from "../../../src/domain/policy/cases.ts";
import { compilePolicy } from "../../../src/domain/policy/compile.ts";
import { readPolicy } from "../../../src/domain/policy/document/read.ts";

const folder = path.resolve(import.meta.dirname, "../../../src/domain/policy/templates");
const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
const read = (name: string) => readFileSync(path.join(folder, name), "utf8");

describe("a template", () => {
  it.each(files)("%s passes its cases, which reach every rule", (name) => {
    const policy = compilePolicy(readPolicy(read(name)));
    const { failed, untested, passed } = runCases(policy, new Date("2026-11-26T12:00:00Z"));
    expect({ failed, untested }).toEqual({ failed: [], untested: [] });
    expect(passed).toBeGreaterThanOrEqual(policy.document.rules.length);
  });

  it("is listed in the README", () => {
    for (const name of files) expect(read("README.md")).toContain(`\`${name}\``);
  });
});
