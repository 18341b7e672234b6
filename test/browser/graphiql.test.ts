import type { BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { inChromium } from "../support/chromium.ts";
import { type Company, startCompany } from "../support/company.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { open, run, stored, TABS, tabs } from "./graphiql.ts";

let database: TestDatabase;
let app: App;
let company: Company;

beforeAll(async () => {
  database = await createTestDatabase();
  [app, company] = await Promise.all([startApp({ databaseUrl: database.appUrl }), startCompany()]);
});

afterAll(async () => {
  await company?.close();
  await app.stop();
  await forget(app);
  await database.drop();
});

describe("GraphiQL in Chromium", () => {
  it("opens with a token as the password, and loads nothing from another server", async () => {
    const password = await app.token("auditor");
    await inChromium(
      async (context) => {
        const page = await context.newPage();
        const origins = new Set<string>();
        page.on("request", (request) => origins.add(new URL(request.url()).protocol + new URL(request.url()).host));
        await open(page, app.url);
        expect(await tabs(page)).toEqual(TABS);
        await run(page, "Waiting", /"id": "auditor"/);
        expect([...origins].filter((origin) => /^(https?|wss?):/.test(origin))).toEqual([
          `http:${new URL(app.url).host}`,
        ]);
      },
      { username: "auditor", password },
    );
  });

  it("does not open without a token", async () => {
    await inChromium(async (context) => {
      const page = await context.newPage();
      const response = await page.goto(app.url).catch(() => undefined);
      expect(await page.locator(".graphiql-container").count()).toBe(0);
      expect(response?.status() ?? 401).toBe(401);
    });
  });

  it("runs every tab with a token as the password, and is the same when loaded again", async () => {
    const typed = { username: "approver", password: await app.token("approver") };
    await inChromium((context) => runsEveryTab(context, app.url, "approver"), typed);
  });

  it("runs every tab for a person who signed in with the browser, and is the same when loaded again", async () => {
    const [server] = company.apps as [App];
    await inChromium(async (context) => {
      const page = await context.newPage();
      await page.goto(new URL("/auth/login", server.url).href);
      await page.getByRole("button", { name: "Ada Alvarez" }).click();
      await page.getByRole("link", { name: "Open GraphiQL" }).click();
      await runsEveryTab(context, server.url, "ada");
    });
  });
});

async function runsEveryTab(context: BrowserContext, url: string, id: string): Promise<void> {
  const page = await context.newPage();
  await open(page, url);
  await run(page, "Waiting", new RegExp(`"id": "${id}"`));
  await stored(page, "Waiting");
  await page.reload();
  expect(await tabs(page)).toEqual(TABS);
  await run(page, "Approve", /digest/);
  await run(page, "Follow", /HEARTBEAT/);
  // What somebody types is in no address: servers and proxies log addresses.
  expect(page.url()).toBe(url);
  await page.reload();
  expect(await tabs(page)).toEqual(TABS);
  await run(page, "Waiting", new RegExp(`"id": "${id}"`));
  const other = await context.newPage();
  await open(other, url);
  expect(await tabs(other)).toEqual(TABS);
  await run(other, "Waiting", new RegExp(`"id": "${id}"`));
}
