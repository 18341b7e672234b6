import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { exitCodes } from "../../src/cli/exit.ts";
import { loadKeys } from "../../src/domain/identity/keys.ts";
import { withClient } from "../support/server.ts";
import { countersign, root } from "./run.ts";
import { type Serving, startServing } from "./serving.ts";

const traces = path.join(root, "clients/demo/airline.jsonl");
const catalog = path.join(root, "src/domain/policy/sample-catalog.json");

const report = z.object({
  run: z.string(),
  conversations: z.number(),
  steps: z.number(),
  readsPermitted: z.number(),
  writesProposed: z.number(),
  writesApproved: z.number(),
  writesExecuted: z.number(),
  failedOutputs: z.number(),
  grantsRedeemed: z.number(),
  approvals: z.record(z.string(), z.number()),
  entries: z.string(),
  verification: z.object({ verdict: z.string(), checkedEntries: z.string() }),
});

let serving: Serving;
beforeAll(async () => {
  serving = await startServing(["--catalog", catalog]);
});
afterAll(() => serving?.close());

async function replay(...args: readonly string[]) {
  const finished = await countersign(["replay", traces, "--json", ...args], serving.environment);
  return { ...finished, report: finished.code === 0 ? report.parse(JSON.parse(finished.stdout)) : undefined };
}

/** The type of every entry of the demo ledger, oldest first. */
async function entryTypes(): Promise<readonly string[]> {
  return withClient(serving.database.superuserUrl, async (client) => {
    const { rows } = await client.query<{ type: string }>(
      "SELECT type FROM oc_audit_log WHERE ledger = 'acme/eu' ORDER BY seq",
    );
    return rows.map(({ type }) => type);
  });
}

const count = (types: readonly string[], type: string) => types.filter((each) => each === type).length;

describe("replay", () => {
  it("takes every recorded step through, each write approved by a person first, and verifies the ledger", async () => {
    const { code, stderr, report: found } = await replay("--catalog", catalog, "--concurrency", "4");
    expect(stderr).toContain("replay 63/63");
    expect(code).toBe(exitCodes.OK);
    expect(found).toMatchObject({
      conversations: 12,
      steps: 63,
      readsPermitted: 41,
      writesProposed: 22,
      writesApproved: 22,
      writesExecuted: 22,
      failedOutputs: 7,
      grantsRedeemed: 63,
      approvals: { approver: 11, approver2: 11 },
      verification: { verdict: "INTACT" },
    });
    const types = await entryTypes();
    expect(count(types, "SESSION_STARTED")).toBe(12);
    expect(count(types, "SESSION_ENDED")).toBe(12);
    expect(count(types, "ACTION_PROPOSED")).toBe(63);
    expect(count(types, "ACTION_APPROVED")).toBe(22);
    expect(count(types, "GRANT_REDEEMED")).toBe(63);
    expect(count(types, "ACTION_COMPLETED")).toBe(63);
    expect(found?.verification.checkedEntries).toBe(String(types.length));
  });

  it("is a new run the second time, and adds nothing when it continues one", async () => {
    const before = (await entryTypes()).length;
    const second = await replay();
    const after = (await entryTypes()).length;
    expect(second.report?.entries).toBe(String(after - before));
    expect(after).toBeGreaterThan(before);
    const again = await replay("--run", second.report!.run);
    expect(again.report).toMatchObject({ steps: 63, writesApproved: 22, grantsRedeemed: 63 });
    // It looks which sessions there are, and that is all.
    const added = (await entryTypes()).slice(after);
    expect(added.filter((type) => type !== "AUDIT_READ")).toEqual([]);
  });

  it("says which catalog to start the server with when it does not know a tool", async () => {
    const foreign = path.join(serving.dataDir, "foreign");
    const known = z.object({ platforms: z.unknown(), tools: z.record(z.string(), z.unknown()) });
    const { platforms, tools } = known.parse(JSON.parse(await readFile(catalog, "utf8")));
    tools.send_postcard = { platform: "support", effect: "WRITE" };
    await writeFile(`${foreign}.json`, JSON.stringify({ platforms, tools }));
    const step = { tool: "send_postcard", platform: "support", arguments: { to: "Mia" }, output: "sent" };
    await writeFile(`${foreign}.jsonl`, JSON.stringify({ id: "postcard", steps: [step] }));
    const { code, stderr } = await countersign(
      ["replay", `${foreign}.jsonl`, "--catalog", `${foreign}.json`],
      serving.environment,
    );
    expect(stderr).toContain("postcard, step 1 (send_postcard)");
    expect(stderr).toContain(`countersign serve --catalog ${foreign}.json`);
    expect(code).toBe(exitCodes.FAILED);
  });

  it("ends with 4 when the server does not know the keys, and with 3 when there is no server", async () => {
    const otherKeys = path.join(serving.dataDir, "other-keys.json");
    await loadKeys(otherKeys);
    const stranger = await countersign(["replay", traces], { ...serving.environment, SIGNING_KEY_FILE: otherKeys });
    expect(stranger.stderr).toContain("UNAUTHENTICATED");
    expect(stranger.stderr).toContain("signed with the keys of another data directory");
    expect(stranger.code).toBe(exitCodes.REFUSED);
    const nowhere = ["replay", traces, "--url", "http://127.0.0.1:1/graphql", "--patience", "0"];
    expect((await countersign(nowhere, serving.environment)).code).toBe(exitCodes.UNREACHABLE);
  });

  it("starts no server of its own where none listens, and says what to do", async () => {
    const { code, stdout, stderr } = await countersign(["replay", traces], {
      ...serving.environment,
      HOST: "127.0.0.97",
    });
    expect(stderr).toContain(`no server listens at http://127.0.0.97:${new URL(serving.url).port}/graphql`);
    expect(stderr).toContain("npm start");
    expect(stdout).toBe("");
    expect(code).toBe(exitCodes.UNREACHABLE);
  });
});
