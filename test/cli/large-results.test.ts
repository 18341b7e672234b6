import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { settings } from "../../src/cli/options.ts";
import { openDemoTokens } from "../../src/cli/tokens.ts";
import { type Serving, startServing } from "./serving.ts";

let serving: Serving;
let token: string;
let database: pg.Client;

beforeAll(async () => {
  serving = await startServing();
  database = new pg.Client(serving.database.superuserUrl);
  await database.connect();
  const tokens = await openDemoTokens(settings({ dataDir: serving.dataDir }));
  token = await tokens.sign("agent");
});

afterAll(async () => {
  await database?.end();
  await serving?.close();
});

const PAYLOAD = "action{id digest}grant{token}userErrors{code message}";

interface Sent {
  readonly action: { readonly id: string; readonly digest: string };
  readonly grant: { readonly token: string };
  readonly userErrors: readonly { readonly code: string }[];
}

async function ask(query: string, variables: object = {}): Promise<{ readonly data?: never; readonly errors?: never }> {
  const response = await fetch(serving.url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as { data?: never; errors?: never };
}

async function change(name: string, input: object, fields: string): Promise<Sent> {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input`;
  const { data, errors } = await ask(`mutation($input:${type}!){${name}(input:$input){${fields}}}`, { input });
  expect(errors).toBeUndefined();
  return (data as unknown as Record<string, Sent>)[name]!;
}

/** A read whose grant was redeemed. */
async function begin() {
  const given = {
    idempotencyKey: randomUUID(),
    platform: "crm",
    tool: "get_user_details",
    arguments: { of: randomUUID() },
  };
  const { action, grant } = await change("proposeAction", given, PAYLOAD);
  const redeemed = await change("redeemGrant", { token: grant.token, digest: action.digest }, "userErrors{code}");
  expect(redeemed.userErrors).toEqual([]);
  return action.id;
}

const complete = (actionId: string, result: unknown) =>
  change("completeAction", { actionId, outcome: "SUCCEEDED", result }, "userErrors{code}");

async function said(id: string) {
  const { rows } = await database.query<{ said: Record<string, unknown> }>(
    `SELECT entry::json->'body'->'fingerprints' AS said FROM oc_audit_log WHERE action_id::text = $1 AND type = 'ACTION_COMPLETED'`,
    [Buffer.from(id, "base64").toString().split(":").at(-1)!.split("/").at(-1)],
  );
  return rows[0]?.said;
}

const record = (at: number) => ({ id: `C-${at * 7919}`, name: `Name ${at}`, note: "x".repeat(200) });

describe("a large result", () => {
  it.each([
    // A slow machine may take longer than it has for the first, and says so.
    ["of 5 MB", Array.from({ length: 19_000 }, (_, at) => record(at)), ["digest", "unknown"]],
    ["of 100,000 leaves", Array.from({ length: 130_000 }, (_, at) => at * 7919), ["omitted"]],
    ["of one long text", "The quick brown fox 4711 jumps. ".repeat(6_400), ["digest"]],
  ])(
    "%s is recorded with what is known of its values, while other calls are answered",
    async (_, result, expected) => {
      const id = await begin();
      let isDone = false;
      const done = complete(id, result).finally(() => {
        isDone = true;
      });
      let answered = 0;
      while (!isDone) {
        expect((await ask("{__typename}")).data).toBeDefined();
        answered += 1;
      }
      expect((await done).userErrors).toEqual([]);
      expect(answered).toBeGreaterThan(2);
      const told = Object.keys((await said(id)) ?? {});
      expect(
        expected.some((one) => told.includes(one)),
        told.join(),
      ).toBe(true);
    },
    240_000,
  );

  it("is refused where it is larger than the setting allows, and its action can still be completed", async () => {
    const id = await begin();
    expect((await complete(id, "x".repeat(5_242_880))).userErrors).toMatchObject([{ code: "INVALID_INPUT" }]);
    expect((await complete(id, "x")).userErrors).toEqual([]);
  }, 60_000);
});
