import { once } from "node:events";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { exitCodes } from "../../src/cli/exit.ts";
import { waitUntil } from "../support/wait.ts";
import { root, start } from "./run.ts";
import { type Serving, startServing } from "./serving.ts";

const traces = path.join(root, "clients/demo/airline.jsonl");
const report = z.object({
  steps: z.number(),
  writesApproved: z.number(),
  grantsRedeemed: z.number(),
  verification: z.object({ verdict: z.string() }),
});

let serving: Serving;
beforeAll(async () => {
  serving = await startServing([], { DATABASE_URL: "" });
});
afterAll(() => serving?.close());

describe("replay", () => {
  it("goes on after the database was killed under it, and every step is there once", async () => {
    const child = start(["replay", traces, "--json", "--patience", "60"], serving.environment);
    const stdout = text(child.stdout!);
    const ended = once(child, "exit");
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    await waitUntil(() => /replay \d+\/63/.test(said));
    const record = z.object({ pid: z.number() });
    const { pid } = record.parse(JSON.parse(await readFile(path.join(serving.dataDir, "postgres.json"), "utf8")));
    process.kill(pid, "SIGKILL");
    expect(said).not.toContain("replay 63/63");
    const [code] = await ended;
    expect(report.parse(JSON.parse(await stdout))).toEqual({
      steps: 63,
      writesApproved: 22,
      grantsRedeemed: 63,
      verification: { verdict: "INTACT" },
    });
    expect(code).toBe(exitCodes.OK);
  });
});
