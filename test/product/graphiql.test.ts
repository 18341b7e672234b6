import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../support/app.ts";
import { bearer, type Company, startCompany } from "../support/company.ts";

let company: Company;
let app: App;

beforeAll(async () => {
  company = await startCompany();
  [app] = company.apps as [App];
});

afterAll(async () => {
  await company?.close();
});

const asPage = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

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
    expect((await browser.request(app.url, { headers: asPage })).status).toBe(401);
  });
});
