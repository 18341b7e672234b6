import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { renderPage } from "../support/chromium.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";

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

const basic = ({ username, password }: URL) => `Basic ${btoa(`${username}:${password}`)}`;

describe("GraphiQL in Chromium", () => {
  it("runs: the editor is there, without anything from another server", async () => {
    const url = new URL(app.url);
    url.username = "auditor";
    url.password = await app.token("auditor");
    // Only the scripts of the page make this: it is not in what the server sends.
    const editor = '<div id="root"><div class="graphiql-container">';
    const sent = await fetch(app.url, { headers: { accept: "text/html", authorization: basic(url) } });
    expect([sent.status, (await sent.text()).includes(editor)]).toEqual([200, false]);
    const page = await renderPage(url);
    expect(page.includes(editor)).toBe(true);
    for (const tab of ["Waiting", "Approve", "Follow"]) expect(page).toMatch(new RegExp(`<button[^>]*>${tab}<`));
    expect([...page.matchAll(/(?:src|href)="(https?:[^"]+)"/g)].map(([, address]) => address)).toEqual([]);
  });

  it("does not open without a token", async () => {
    expect((await renderPage(app.url)).includes("graphiql")).toBe(false);
  });
});
