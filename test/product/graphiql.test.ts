import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { buildSchema, parse, validate } from "graphql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OPENING_TABS } from "../../src/http/graphiql-query.ts";
import type { App } from "../support/app.ts";
import { ask, bearer, type Company, startCompany } from "../support/company.ts";

const root = path.resolve(import.meta.dirname, "../..");

let company: Company;
let app: App;

beforeAll(async () => {
  company = await startCompany();
  [app] = company.apps as [App];
});

afterAll(async () => {
  await company?.close();
});

interface Waiting {
  readonly pendingApprovals: {
    readonly nodes: readonly { readonly id: string; readonly digest: string; readonly viewerCanDecide: boolean }[];
  };
}

const asPage = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

describe("the page at /", () => {
  it("is the page after signing in: it shows the person, opens GraphiQL and signs out", async () => {
    const home = new URL("/", app.url);
    const browser = await company.signIn(app, "max");
    const response = await browser.request(home, { headers: asPage });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    const page = await response.text();
    expect(page).toContain("<dt>E-mail</dt><dd>max@acme.example</dd>");
    expect(page).toContain('<a href="/graphql">Open GraphiQL</a>');
    const [, action = ""] = /<form method="post" action="([^"]+)">/.exec(page) ?? [];
    const form = { method: "POST", headers: { ...asPage, origin: home.origin } };
    const out = await browser.request(new URL(action, home), form);
    expect([out.status, out.headers.get("location")]).toEqual([303, expect.stringMatching(/^http/)]);
    const after = await (await browser.request(home, { headers: asPage })).text();
    expect(after).toContain('<a href="/auth/login">Sign in</a>');
    expect(after).not.toContain("max@");
  });

  it("does not guess how a person signed in whose provider does not say", async () => {
    const browser = await company.signIn(app, "una");
    const page = await (await browser.request(new URL("/", app.url), { headers: asPage })).text();
    expect(page).toContain("<dt>Signed in by</dt><dd>openid-connect (the identity provider does not say how)</dd>");
  });

  it("is for browsers alone", async () => {
    expect((await fetch(new URL("/", app.url))).status).toBe(404);
  });
});

describe("GraphiQL", () => {
  it("opens in a browser in which a person has signed in, and holds nothing of them", async () => {
    const browser = await company.signIn(app, "max");
    const response = await browser.request(app.url, { headers: asPage });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-frame-options")).toBe("DENY");
    const page = await response.text();
    expect(page).not.toContain(browser.cookie(app.url, "countersign"));
    expect(page).not.toContain("max@acme.example");
    // What answers an operation goes by the cookie for a page of ours alone.
    const query = await browser.request(`${app.url}?query={viewer{email}}`, { headers: asPage });
    expect([query.status, (await query.text()).includes("max@acme.example")]).toEqual([401, false]);
  });

  it("does not open for an agent, nor in a browser that has signed out", async () => {
    const agent = await company.agentFor(await company.person("max"));
    expect((await fetch(app.url, { headers: { ...asPage, ...bearer(agent) } })).status).toBe(403);
    const browser = await company.signIn(app, "max");
    const headers = { origin: new URL(app.url).origin };
    await browser.request(new URL("/auth/logout", app.url), { method: "POST", headers });
    const refused = await browser.request(app.url, { headers: asPage });
    expect(refused.status).toBe(401);
    // Where people sign in with a browser, a prompt for a token would lead nobody anywhere.
    expect(refused.headers.get("www-authenticate")).toBeNull();
    expect(await refused.text()).toContain('<a href="/auth/login?returnTo=%2Fgraphql">Sign in</a>');
  });

  it("opens with a tab for each of three operations, which the schema accepts", async () => {
    const browser = await company.signIn(app, "max");
    const page = await (await browser.request(app.url, { headers: asPage })).text();
    const schema = buildSchema(readFileSync(path.join(root, "schema/schema.graphql"), "utf8"));
    for (const { query } of OPENING_TABS) {
      expect(page).toContain(JSON.stringify(query).slice(1, 60));
      expect(validate(schema, parse(query))).toEqual([]);
      expect(parse(query).definitions).toHaveLength(1);
      // Longer comments are cut off in a window of 1280 pixels.
      expect(query.split("\n").filter((line) => line.length > 50)).toEqual([]);
    }
  });

  it("approves with what its first tab shows, put into the variables of its second", async () => {
    const agent = bearer(await company.agentFor(await company.person("max")));
    const input = { idempotencyKey: randomUUID(), platform: "reservations", tool: "cancel_reservation", arguments: {} };
    const proposed = await ask(
      app,
      agent,
      "mutation ($input: ProposeActionInput!) { proposeAction(input: $input) { userErrors { code } } }",
      { input },
    );
    expect(proposed).toEqual({ data: { proposeAction: { userErrors: [] } } });
    const [waiting, approve] = OPENING_TABS;
    const approver = bearer(await company.person("ada"));
    const { data } = await ask<Waiting>(app, approver, waiting!.query);
    const [{ id, digest, viewerCanDecide } = { id: "", digest: "", viewerCanDecide: false }] =
      data?.pendingApprovals.nodes ?? [];
    expect(viewerCanDecide).toBe(true);
    const variables = JSON.parse(approve!.variables ?? "");
    expect(Object.keys(variables)).toEqual(["id", "digest"]);
    expect(await ask(app, approver, approve!.query, { id, digest })).toEqual({
      data: { approveAction: { action: { status: "APPROVED" }, userErrors: [] } },
    });
  });
});
