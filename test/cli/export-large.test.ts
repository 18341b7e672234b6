import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { settings } from "../../src/cli/options.ts";
import { openDemoTokens } from "../../src/cli/tokens.ts";
import { countersign } from "./run.ts";
import { type Serving, startServing } from "./serving.ts";

let serving: Serving;

beforeAll(async () => {
  serving = await startServing([], { RESPONSE_BYTES: "65536" });
});

afterAll(() => serving?.close());

/** Each entry with its values has a quarter of what may be read for an answer. */
const TEXT = "x".repeat(60_000);
const ENTRIES = 10;

it("export reads shorter pages where longer ones would be too large to be answered", async () => {
  const tokens = await openDemoTokens(settings({ dataDir: serving.dataDir }));
  const token = await tokens.sign("agent");
  for (let at = 0; at < ENTRIES; at++) {
    const input = { idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: { at, TEXT } };
    const query = "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}";
    const answer = await fetch(serving.url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables: { input } }),
    });
    expect(await answer.json()).toEqual({ data: { proposeAction: { userErrors: [] } } });
  }
  const { code, stdout } = await countersign(["export"], serving.environment);
  expect(code).toBe(0);
  expect(stdout.trimEnd().split("\n").length).toBeGreaterThan(ENTRIES);
});
