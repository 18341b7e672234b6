import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../support/app.ts";
import { ask, bearer, codesOf } from "../support/company.ts";
import { type IdentityProvider, startIdentityProvider } from "../support/identity-provider.ts";
import { codeFlow } from "../support/oauth-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { makeDataDir } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";

let database: TestDatabase;
let provider: IdentityProvider;
let dataDir: string;

beforeAll(async () => {
  const user = (name: string) => ({ name, email: `${name}@acme.example`, roles: [], groups: [], amr: ["pwd"] });
  [database, provider, dataDir] = await Promise.all([
    createTestDatabase(),
    startIdentityProvider({ audience: "countersign", users: { ada: user("ada"), ben: user("ben") } }),
    makeDataDir(),
  ]);
});

afterAll(async () => {
  await provider?.close();
  await database?.drop();
  await rm(dataDir, { recursive: true, force: true });
});

async function start(): Promise<App> {
  const file = path.join(dataDir, "identity.json");
  await writeFile(file, JSON.stringify({ issuers: [{ issuer: provider.issuer, organization: "acme" }] }));
  const environment = { IDENTITY_FILE: file, NODE_ENV: "production" };
  return startApp({ databaseUrl: database.appUrl, dataDir, environment });
}

const CODE = /^ {2}([0-9A-Z]{4}(?:-[0-9A-Z]{4})+)$/;
const codesSaid = ({ lines }: App) => lines.flatMap((line) => CODE.exec(line)?.[1] ?? []);

const CLAIM = `mutation ($input: ClaimAdministratorInput!) { claimAdministrator(input: $input) { userErrors { code } } }`;
const claim = async (app: App, user: string, code: string) =>
  codesOf(
    await ask(app, bearer((await codeFlow(provider, user)).access_token), CLAIM, {
      input: { code },
    }),
  );

describe("a first start in production", () => {
  it("prints a one-time code, outside the log; the person who signs in and presents it is the administrator", async () => {
    const app = await start();
    await waitUntil(() => codesSaid(app).length > 0);
    const [code = ""] = codesSaid(app);
    expect(codesSaid(app)).toHaveLength(1);
    expect(app.lines.filter((line) => line.startsWith("{") && line.includes(code))).toEqual([]);
    const changed = `${code.slice(0, -1)}${code.endsWith("0") ? "1" : "0"}`;
    expect(await claim(app, "ben", changed)).not.toEqual([]);
    expect(await claim(app, "ada", code)).toEqual([]);
    expect(await claim(app, "ben", code)).not.toEqual([]);
    const { data } = await ask<{ viewer: { roles: readonly string[] } }>(
      app,
      bearer((await codeFlow(provider, "ada")).access_token),
      "{ viewer { roles } }",
    );
    expect(data?.viewer.roles).toContain("admin");
    expect(await app.stop()).toBe(0);

    const again = await start();
    await ask(again, {}, "{ __typename }");
    await again.stop();
    expect(codesSaid(again)).toEqual([]);
  });

  it("refuses to start without issuers", async () => {
    const environment = { NODE_ENV: "production" };
    await expect(startApp({ databaseUrl: database.appUrl, dataDir, environment })).rejects.toThrow(/IDENTITY_FILE/);
  });
});
