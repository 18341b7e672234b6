import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { countersign, root } from "../cli/run.ts";
import { type Serving, startServing } from "../cli/serving.ts";

let serving: Serving;
beforeAll(async () => {
  // The demo breaks the built-in database only, never one that somebody named.
  serving = await startServing([], { DATABASE_URL: "" });
});
afterAll(() => serving?.close());

async function tamper(...args: readonly string[]) {
  const child = spawn(process.execPath, [path.join(root, "clients/demo/tamper.ts"), ...args], {
    env: { ...process.env, ...serving.environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code, stdout, stderr };
}

describe("the tamper demo of the README", () => {
  it("takes no guard off where there is nothing to change, and fails", async () => {
    for (const args of [[], ["--force"]]) {
      const { code, stdout, stderr } = await tamper(...args);
      expect(stderr).toBe("nothing was approved yet, so there is nothing to change: run `npm run demo` first\n");
      expect([code, stdout]).toEqual([2, ""]);
    }
    const { code, stdout } = await countersign(["verify"], serving.environment);
    expect(stdout).toMatch(/^INTACT/);
    expect(code).toBe(exitCodes.OK);
  });

  it("is refused even to a superuser in replica mode, and changes nothing", async () => {
    const demo = ["replay", path.join(root, "clients/demo/airline.jsonl")];
    expect((await countersign(demo, serving.environment)).code).toBe(exitCodes.OK);
    const { code, stdout: said } = await tamper();
    expect(said).toBe(
      "refused: oc_audit_log is append-only. Modification and deletion are blocked for Article 12 compliance.\n",
    );
    expect(code).toBe(1);
    expect((await countersign(["verify"], serving.environment)).code).toBe(exitCodes.OK);
  });

  it("succeeds with the guards taken off, and is found with its position", async () => {
    const said = (await tamper("--force")).stdout;
    const seq = /^changed one letter of entry (\d+) of acme\/eu: "id":"a(pprover2?)" is now "id":"A\2"\n$/.exec(
      said,
    )?.[1];
    const { code, stdout } = await countersign(["verify"], serving.environment);
    expect(stdout).toMatch(new RegExp(`^CONTENT_MISMATCH\n[\\s\\S]*^ {2}CONTENT_MISMATCH at ${seq}: `, "m"));
    expect(stdout).toContain("UNGUARDED");
    expect(code).toBe(exitCodes.FAILED);
  });
});
