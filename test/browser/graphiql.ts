import type { Page } from "playwright-core";
import { expect } from "vitest";

/** The titles of the tabs of a first visit. */
export const TABS = ["Waiting", "Approve", "Follow"];

/** The title of a tab without an operation. */
export const UNTITLED = "<untitled>";

export async function open(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.locator(".graphiql-execute-button").waitFor();
}

export async function tabs(page: Page): Promise<readonly string[]> {
  await page.locator(".graphiql-execute-button").waitFor();
  return page.locator(".graphiql-tab-button").allInnerTexts();
}

/** Waits until GraphiQL has stored that the active tab is the one with this title. */
export async function stored(page: Page, title: string): Promise<void> {
  await page.waitForFunction((expected) => {
    const state = JSON.parse(localStorage.getItem("graphiql:tabState") ?? '{"tabs":[]}');
    return state.tabs[state.activeTabIndex]?.title === expected;
  }, title);
}

/** Chooses a tab with one click, and waits until its operation is the one that GraphiQL executes. */
export async function choose(page: Page, tab: string): Promise<void> {
  await page.locator(`.graphiql-tab-button[title="${tab}"]`).click();
  await page.locator(`.graphiql-tab-active [title="${tab}"]`).waitFor();
  // GraphiQL parses what it shows 100 ms later, before it stores the choice. Until then it cannot infer the operation.
  await stored(page, tab);
}

/** Chooses a tab, and executes its operation until the response has `text`. */
export async function run(page: Page, tab: string, text: RegExp): Promise<void> {
  await choose(page, tab);
  await page.locator(".graphiql-execute-button").click();
  // The editor shows spaces that do not break.
  const response = async () =>
    ((await page.locator(".graphiql-response").textContent()) ?? "").replaceAll("\u00a0", " ");
  await expect.poll(response, { timeout: 40_000 }).toMatch(text);
}
