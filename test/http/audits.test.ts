import { serverAudits } from "graphql-http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { type Api, startApi } from "./harness.ts";

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

const signedIn: typeof fetch = async (input, init = {}) => {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${await api.token("agent")}`);
  return fetch(input, { ...init, headers });
};

describe.each([
  ["without a token", fetch],
  ["with a token", signedIn],
])("GraphQL over HTTP %s", (_how, fetchFn) => {
  const audits = serverAudits({ url: () => api.url, fetchFn });

  it("is audited in full", () => {
    expect(audits.length).toBeGreaterThanOrEqual(61);
  });

  it.each(audits.map((audit) => [audit.id, audit.name, audit] as const))("%s %s", async (_id, _name, audit) => {
    const result = await audit.fn();
    const reason = "reason" in result ? result.reason : "";
    expect({ status: result.status, reason }).toEqual({ status: "ok", reason: "" });
  });
});
