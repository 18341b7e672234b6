import { serverAudits } from "graphql-http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { type Api, startApi } from "./harness.ts";

let database: TestDatabase;
let api: Api;
/** The same, but Yoga alone responds. */
let byYoga: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
  byYoga = await startApi(database.appUrl, { jsonRoute: false });
});

afterAll(async () => {
  await api?.close();
  await byYoga?.close();
  await database?.drop();
});

const signedInTo =
  (server: () => Api): typeof fetch =>
  async (input, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${await server().token("agent")}`);
    return fetch(input, { ...init, headers });
  };

describe.each([
  ["without a token", () => api, fetch],
  ["with a token", () => api, signedInTo(() => api)],
  ["by Yoga alone, without a token", () => byYoga, fetch],
  ["by Yoga alone, with a token", () => byYoga, signedInTo(() => byYoga)],
])("GraphQL over HTTP %s", (_how, server, fetchFn) => {
  const audits = serverAudits({ url: () => server().url, fetchFn });

  it("is audited in full", () => {
    expect(audits.length).toBeGreaterThanOrEqual(61);
  });

  it.each(audits.map((audit) => [audit.id, audit.name, audit] as const))("%s %s", async (_id, _name, audit) => {
    const result = await audit.fn();
    const reason = "reason" in result ? result.reason : "";
    expect({ status: result.status, reason }).toEqual({ status: "ok", reason: "" });
  });
});
