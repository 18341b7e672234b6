import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { findTests, projectOf } from "./projects.ts";
import { takeAttempts } from "./support/only-in-process.ts";

describe("the project of a test", () => {
  it.each([
    ["test/ledger/append.test.ts", "database"],
    ["test/ledger/append.plans.test.ts", "plans"],
    ["test/ledger/heads.unit.test.ts", "unit"],
    ["test/domain/actions/decide/decide.test.ts", "database"],
    ["test/domain/identity/clients/rules.test.ts", "unit"],
    ["test/http/behind-proxy.network.test.ts", "network"],
    ["test/faults/kills.test.ts", "faults"],
    ["test/faults/disk-full.root.test.ts", "root"],
    ["test/architecture.test.ts", "unit"],
    ["test/a-new-folder/x.test.ts", "unit"],
  ])("%s is %s", (file, project) => {
    expect(projectOf(file)).toBe(project);
  });

  it.each(["test/ledger/append.slow.test.ts", "src/ledger/append.test.ts"])("is an error for %s", (file) => {
    expect(() => projectOf(file)).toThrow(file);
  });

  it("is one that has tests", () => {
    for (const [project, files] of findTests(path.resolve(import.meta.dirname, ".."))) {
      expect(files.length, project).toBeGreaterThan(0);
    }
  });
});

const attempts: readonly (readonly [string, () => unknown])[] = [
  ["listens", () => createServer().listen(0)],
  ["connects", () => connect(5432)],
  ["starts a process", () => spawn("true")],
];

describe("a unit test", () => {
  it.each(attempts)("gets an error when it %s", (what, attempt) => {
    expect(attempt).toThrow(`a test of the unit project ${what}`);
    expect(takeAttempts()).toEqual([what]);
  });

  it.fails.each(attempts)("fails when it %s, also when the error is caught", (_, attempt) => {
    try {
      attempt();
    } catch {
      // As code under test might do.
    }
  });
});
