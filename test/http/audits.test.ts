import { serverAudits } from "graphql-http";
import { describe, expect, it } from "vitest";
import { startBothServers } from "./both-servers.ts";
import type { Api } from "./harness.ts";

const { api, byYoga } = startBothServers();

const signedInTo =
  (server: () => Api): typeof fetch =>
  async (input, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${await server().token("agent")}`);
    return fetch(input, { ...init, headers });
  };

describe.each([
  ["without a token", api, fetch],
  ["with a token", api, signedInTo(api)],
  ["by Yoga alone, without a token", byYoga, fetch],
  ["by Yoga alone, with a token", byYoga, signedInTo(byYoga)],
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
