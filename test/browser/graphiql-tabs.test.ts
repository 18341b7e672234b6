import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { inChromium } from "../support/chromium.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { choose, open, stored, TABS, tabs, UNTITLED } from "./graphiql.ts";

let database: TestDatabase;
let app: App;

beforeAll(async () => {
  database = await createTestDatabase();
  app = await startApp({ databaseUrl: database.appUrl });
});

afterAll(async () => {
  await app.stop();
  await forget(app);
  await database.drop();
});

/** Does `work` in a browser that has not opened the page yet, as somebody with a token. */
async function signedIn(work: (context: BrowserContext) => Promise<void>): Promise<void> {
  await inChromium(work, { username: "auditor", password: await app.token("auditor") });
}

const editor = (page: Page) => page.locator(".graphiql-query-editor");

/** Replaces the operation of the active tab by a query with this name. */
async function type(page: Page, name: string): Promise<void> {
  await editor(page).locator(".view-lines").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(`query ${name} { viewer { id } }`);
  await stored(page, name);
}

// A page of GraphiQL takes seconds to load while other tests run.
describe("the tabs of GraphiQL", { timeout: 180_000 }, () => {
  it("are the same after a reload at any moment", async () => {
    await signedIn(async (context) => {
      const page = await context.newPage();
      const moments = [
        () => page.reload({ waitUntil: "domcontentloaded" }),
        () => page.reload({ waitUntil: "load" }),
        () => page.locator(".graphiql-tab-button").first().waitFor({ state: "attached" }),
        () => page.locator(".graphiql-execute-button").waitFor(),
        () => page.locator('.graphiql-tab-button[title="Approve"]').click(),
        () => choose(page, "Follow"),
      ];
      await open(page, app.url);
      for (const moment of [...moments, ...moments.toReversed()]) {
        await moment();
        await page.reload({ waitUntil: "domcontentloaded" });
        expect(await tabs(page)).toEqual(TABS);
      }
    });
  });

  it("are the same when another window stores its tabs while the page loads", async () => {
    await signedIn(async (context) => {
      const first = await context.newPage();
      await open(first, app.url);
      await choose(first, "Approve");
      const [tabState, query] = await first.evaluate(() => [
        localStorage.getItem("graphiql:tabState") ?? "",
        "query Typed { viewer { id } }",
      ]);
      const second = await context.newPage();
      await second.addInitScript(
        ([state, text]) => {
          localStorage.clear();
          // After the script of the page, which comes before the root, and before GraphiQL, which comes after it.
          new MutationObserver((_, observer) => {
            if (document.querySelector("#root") === null) return;
            localStorage.setItem("graphiql:tabState", state as string);
            localStorage.setItem("graphiql:query", text as string);
            observer.disconnect();
          }).observe(document, { childList: true, subtree: true });
        },
        [tabState, query],
      );
      await open(second, app.url);
      expect(await tabs(second)).toEqual(TABS);
      expect(await second.locator(".graphiql-tab-active .graphiql-tab-button").textContent()).toBe("Approve");
      await expect.poll(() => editor(second).textContent()).toContain("Approve");
    });
  });

  it("are the same in windows that open at once", async () => {
    await signedIn(async (context) => {
      const pages = await Promise.all([1, 2, 3].map(() => context.newPage()));
      await Promise.all(pages.map((page) => open(page, app.url)));
      for (const page of pages) expect(await tabs(page)).toEqual(TABS);
    });
  });

  it("are those of a first visit when it ended before they were stored", async () => {
    await signedIn(async (context) => {
      const page = await context.newPage();
      await page.addInitScript(() => localStorage.setItem("graphiql:query", "query Other { viewer { id } }"));
      await open(page, app.url);
      expect(await tabs(page)).toEqual(TABS);
      await expect.poll(() => editor(page).textContent()).toContain("What waits for people".replaceAll(" ", "\u00a0"));
    });
  });

  it("keep what somebody edited, added and closed", async () => {
    await signedIn(async (context) => {
      const page = await context.newPage();
      await open(page, app.url);
      await choose(page, "Follow");
      await type(page, "Mine");
      await choose(page, "Approve");
      await page.locator(".graphiql-tab-active .graphiql-tab-close").click();
      await stored(page, "Waiting");
      await page.locator(".graphiql-tab-add").click();
      await stored(page, UNTITLED);
      await page.reload();
      expect(await tabs(page)).toEqual(["Waiting", "Mine", UNTITLED]);
      await page.reload({ waitUntil: "domcontentloaded" });
      expect(await tabs(page)).toEqual(["Waiting", "Mine", UNTITLED]);
      expect(await page.locator(".graphiql-tab-active .graphiql-tab-button").textContent()).toBe(UNTITLED);
      await choose(page, "Mine");
      await page.reload();
      expect(await tabs(page)).toEqual(["Waiting", "Mine", UNTITLED]);
      await expect.poll(() => editor(page).textContent()).toMatch(/query.Mine/);
    });
  });
});
