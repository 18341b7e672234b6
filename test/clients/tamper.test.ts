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
  await countersign(["replay", path.join(root, "clients/demo/airline.jsonl")], serving.environment);
});
afterAll(() => serving?.close());

async function tamper(...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [path.join(root, "clients/demo/tamper.ts"), ...args], {
    env: { ...process.env, ...serving.environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return said;
}

describe("the tamper demo of the README", () => {
  it("is refused even to a superuser in replica mode, and changes nothing", async () => {
    expect(await tamper()).toBe(
      "refused: oc_audit_log is append-only. Modification and deletion are blocked for Article 12 compliance.\n",
    );
    expect((await countersign(["verify"], serving.environment)).code).toBe(exitCodes.OK);
  });

  it("succeeds with the guards taken off, and is found with its position", async () => {
    const seq = /^changed one letter of entry (\d+) of acme\/eu\n$/.exec(await tamper("--force"))?.[1];
    const { code, stdout } = await countersign(["verify"], serving.environment);
    expect(stdout).toMatch(new RegExp(`^CONTENT_MISMATCH\n[\\s\\S]*^ {2}CONTENT_MISMATCH at ${seq}: `, "m"));
    expect(stdout).toContain("UNGUARDED");
    expect(code).toBe(exitCodes.FAILED);
  });
});
