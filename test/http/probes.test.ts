import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { connect } from "./client.ts";
import { type Api, startApi } from "./harness.ts";

let database: TestDatabase;
let api: Api;
let checks: () => Promise<Record<string, boolean>> = async () => ({ ledger: true });

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, { checks: () => checks() });
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

const get = (path: string) => fetch(new URL(path, api.url));

describe("probes", () => {
  it("say that the process lives, whatever else is wrong", async () => {
    checks = () => Promise.reject(new Error("the database password is hunter2"));
    expect((await get("/livez")).status).toBe(200);
  });

  it("say ready when every check holds, and which one does not", async () => {
    checks = async () => ({ ledger: true, schema: true });
    const ready = await get("/readyz");
    expect({ status: ready.status, body: await ready.json() }).toEqual({
      status: 200,
      body: { ready: true, checks: { ledger: true, schema: true, accepting: true } },
    });
    checks = async () => ({ ledger: false, schema: true });
    const told = async () => {
      const behind = await get("/readyz");
      return { status: behind.status, body: await behind.json() };
    };
    await expect.poll(told, { timeout: 5_000 }).toMatchObject({
      status: 503,
      body: { ready: false, checks: { ledger: false } },
    });
  });

  it("are not ready when that cannot be checked, and do not say why", async () => {
    checks = () => Promise.reject(new Error("the database password is hunter2"));
    const told = async () => {
      const response = await get("/readyz");
      return { status: response.status, body: await response.json() };
    };
    const untold = { status: 503, body: { ready: false, checks: {} } };
    await expect.poll(told, { timeout: 5_000 }).toEqual(untold);
    checks = async () => ({ ledger: true });
  });

  it("ask once for all who want to know, and do not wait for ever", async () => {
    let asked = 0;
    checks = () => {
      asked += 1;
      return new Promise(() => undefined);
    };
    await expect
      .poll(async () => [(await get("/readyz")).status, asked], {
        timeout: 5_000,
      })
      .toEqual([503, 1]);
    asked = 0;
    const answers = await Promise.all(Array.from({ length: 50 }, () => get("/readyz")));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    expect(asked).toBe(1);
    checks = async () => ({ ledger: true });
    await expect.poll(async () => (await get("/readyz")).status, { timeout: 10_000 }).toBe(200);
  });

  it("count requests, errors and refusals", async () => {
    await api.gql("{viewer{id}}");
    const input = { actionId: "nothing", digest: `sha256:${"0".repeat(64)}` };
    await api.gql(
      "mutation($input:ApproveActionInput!){approveAction(input:$input){userErrors{code}}}",
      { input },
      { as: "approver" },
    );
    await expect.poll(api.metrics).toContain('route="/graphql",status="401"');
    const text = await api.metrics();
    expect(text).toContain('countersign_graphql_errors_total{code="UNAUTHENTICATED"} 1');
    expect(text).toContain('countersign_refusals_total{code="NOT_FOUND"} 1');
    for (const name of [
      "append_duration_seconds",
      "append_batch_entries",
      "append_queue_length",
      "approvals_pending",
      "websocket_connections",
    ]) {
      expect(text).toContain(`# TYPE countersign_${name}`);
    }
  });

  it("tell nobody at the address of the API how much is going on", async () => {
    expect((await get("/metrics")).status).toBe(404);
  });

  it("accept GET only", async () => {
    expect((await fetch(new URL("/livez", api.url), { method: "POST" })).status).toBe(405);
  });
});

describe("GraphiQL", () => {
  const page = (headers: Record<string, string> = {}) =>
    fetch(api.url, { headers: { accept: "text/html,*/*", ...headers } });
  const basic = (token: string) => ({ authorization: `Basic ${Buffer.from(`anyone:${token}`).toString("base64")}` });

  it("asks a browser for a token", async () => {
    const response = await page();
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toMatch(/^Basic/);
    expect((await page(basic("nonsense"))).status).toBe(401);
  });

  it("is served to people, whole, and kept by nobody", async () => {
    const response = await page(basic(await api.token("member")));
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("content-security-policy")).toContain("connect-src 'self'");
    expect(text).not.toMatch(/<(?:script|link)[^>]+(?:src|href)="https?:/);
  });

  it("is not served to a caller with two tokens", async () => {
    const authorization = [await api.token("member"), await api.token("admin")].map((token) => `Bearer ${token}`);
    const headers = [
      "host",
      new URL(api.url).host,
      "accept",
      "text/html",
      ...authorization.flatMap((one) => ["authorization", one]),
    ];
    const [answer] = (await once(request(api.url, { headers }).end(), "response")) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(401);
  });

  it("is not served to agents", async () => {
    expect((await page(basic(await api.token("agent")))).status).toBe(403);
  });

  it("lends its sign-in to nothing else: the API takes no passwords", async () => {
    const response = await api.post('{"query":"{viewer{id}}"}', basic(await api.token("member")));
    expect(response.status).toBe(401);
  });
});

describe("stopping", () => {
  it("finishes what is under way, closes connections with 1001, and takes nothing new", async () => {
    const other = await createTestDatabase();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let asked = () => {};
    const verifying = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const stopping = await startApi(other.appUrl, {
      services: (services) => ({
        ...services,
        verify: async (ledger, range) => {
          asked();
          await held;
          return services.verify(ledger, range);
        },
      }),
    });
    try {
      const client = await connect(stopping.wsUrl, await stopping.token("auditor"));
      await stopping.gql("{ledger{head{seq}}}", {}, { as: "auditor" });
      const answer = stopping.gql("{verifyLedger{verdict}}", {}, { as: "auditor" });
      await verifying;
      const closed = stopping.close();
      expect(await client.closed).toMatchObject({ code: 1001 });
      await expect(fetch(stopping.url)).rejects.toThrow();
      release();
      expect((await answer).data).toEqual({ verifyLedger: { verdict: "INTACT" } });
      await closed;
    } finally {
      await other.drop();
    }
  });
});
