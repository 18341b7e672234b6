import { readdir, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { makeDataDir } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";
import { countersign } from "./run.ts";
import { type Serving, serveThere, startServing } from "./serving.ts";

let serving: Serving | undefined;
afterEach(async () => {
  await serving?.close();
  serving = undefined;
});

describe("serve", () => {
  it("prints how to get tokens, in commands that work", async () => {
    serving = await startServing();
    await waitUntil(() => serving?.said().includes("curl") === true);
    expect(serving.said()).toContain("npx countersign token --as member");
    const token = (await countersign(["token", "--as", "member"], serving.environment)).stdout.trim();
    const body = /-d '(\{.*\})'/.exec(serving.said())?.[1] ?? "";
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(serving.url, { method: "POST", headers, body });
    expect(await response.json()).toMatchObject({ data: { viewer: { id: "member", kind: "HUMAN" } } });
  });

  it("logs first what it runs with, without the password of the database", async () => {
    const database = await createTestDatabase();
    const dataDir = await makeDataDir();
    const url = new URL(database.appUrl);
    const secret = `:${url.password}@`;
    const there = await serveThere({ database, dataDir }, [], { HEARTBEAT: "2.5" });
    await there.end();
    const [first = ""] = there
      .said()
      .split("\n")
      .filter((line) => line.startsWith("{"));
    url.password = "";
    expect(JSON.parse(first)).toMatchObject({
      msg: "starting",
      settings: { PORT: 0, DATA_DIR: dataDir, HEARTBEAT: 2.5, DATABASE_URL: url.href, WATCH_SHARE: 5 },
    });
    expect(secret).not.toBe(":@");
    expect(there.said()).not.toContain(secret);
    await database.drop();
    await rm(dataDir, { recursive: true });
  });

  it("prints an IPv6 address in brackets in URLs, and without in settings", async () => {
    serving = await startServing(["--host", "::1"]);
    await waitUntil(() => serving?.said().includes("curl") === true);
    const { port } = new URL(serving.url);
    expect(serving.said()).toContain(`curl -s http://[::1]:${port}/graphql`);
    expect(serving.said()).toContain(` HOST=::1 PORT=${port} npm run demo`);
    const [, command = ""] = /^ {2}(.*) npm run demo$/m.exec(serving.said()) ?? [];
    const given = Object.fromEntries(command.split(" ").map((setting) => setting.split("=") as [string, string]));
    expect((await countersign(["health"], given)).code).toBe(exitCodes.OK);
  });

  it("prints which redirect URI to register, and which issuers it accepts", async () => {
    const issuer = "https://login.acme.example/";
    const folder = await makeDataDir();
    const file = path.join(folder, "identity.json");
    const signIn = [{ issuer, clientId: "console" }];
    await writeFile(file, JSON.stringify({ issuers: [{ issuer, organization: "acme" }], signIn }));
    serving = await startServing([], { IDENTITY_FILE: file });
    const base = new URL(serving.url).origin;
    await waitUntil(() => serving?.said().includes("Access tokens") === true);
    expect(serving.said()).toContain(`People sign in at ${base}/auth/login\n`);
    expect(serving.said()).toContain(`  ${base}/auth/callback   for client console of ${issuer}\n`);
    expect(serving.said()).toContain(`  ${issuer}   with aud countersign\n`);
    await rm(folder, { recursive: true });
  });

  it("stops on SIGTERM, says so and ends with 0", async () => {
    serving = await startServing();
    expect(await serving.end()).toBe(exitCodes.OK);
    await waitUntil(() => serving?.said().includes('"msg":"stopped"') === true);
    await expect(fetch(serving.url)).rejects.toThrow();
  });

  it("finds out that its port is taken before it makes a database", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const parent = await makeDataDir();
    try {
      const dataDir = path.join(parent, "data");
      const { code, stderr } = await countersign(["serve"], { PORT: String(port), DATA_DIR: dataDir });
      expect(stderr).toContain(`port ${port} of 127.0.0.1 is in use`);
      expect(stderr).toContain("set PORT to another");
      expect(code).toBe(exitCodes.USAGE);
      expect(await readdir(parent)).toEqual([]);
    } finally {
      other.close();
      await rm(parent, { recursive: true });
    }
  });

  it("names HOST when that is not an address of this machine", async () => {
    const identity = path.join(import.meta.dirname, "../../package.json");
    const { code, stderr } = await countersign(["serve"], { HOST: "192.0.2.1", IDENTITY_FILE: identity });
    expect(stderr).toContain("192.0.2.1 is not an address of this machine (EADDRNOTAVAIL): set HOST");
    expect(code).toBe(exitCodes.USAGE);
  });

  it("refuses plain HTTP where others could read it, unless a proxy is named", async () => {
    const folder = await makeDataDir();
    const file = path.join(folder, "identity.json");
    const issuers = [{ issuer: "https://login.acme.example/", organization: "acme" }];
    await writeFile(file, JSON.stringify({ issuers }));
    const open = { HOST: "0.0.0.0", IDENTITY_FILE: file, DATA_DIR: folder };
    const { code, stderr } = await countersign(["serve", "--port", "0"], {
      ...open,
      DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
    });
    expect(stderr).toContain("set TLS_CERT_FILE and TLS_KEY_FILE, or name the proxies that use TLS in trustedProxies");
    expect(code).toBe(exitCodes.USAGE);
    await writeFile(file, JSON.stringify({ issuers, trustedProxies: ["10.0.0.0/8"] }));
    serving = await startServing([], open);
    expect(serving.url).toMatch(/^http:\/\/0\.0\.0\.0:\d+\/graphql$/);
    await serving.close();
    serving = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  it("serves metrics and probes on a port of their own, and there alone", async () => {
    serving = await startServing([], { METRICS_PORT: "0" });
    const said = () => /"operations":"([^"]+)"/.exec(serving!.said())?.[1];
    await waitUntil(() => said() !== undefined);
    const operations = said() ?? "";
    const get = (path: string, base: string) => fetch(new URL(path, base)).then(({ status }) => status);
    expect(await Promise.all(["/livez", "/readyz", "/metrics", "/graphql"].map((at) => get(at, operations)))).toEqual([
      200, 200, 200, 404,
    ]);
    expect(await Promise.all(["/livez", "/readyz", "/metrics"].map((at) => get(at, serving!.url)))).toEqual([
      404, 404, 404,
    ]);
    expect(await (await fetch(new URL("/metrics", operations))).text()).toContain("countersign_approvals_pending");
    const port = new URL(operations).port;
    expect((await countersign(["health"], { ...serving.environment, METRICS_PORT: port })).code).toBe(exitCodes.OK);
    const taken = await countersign(["serve", "--port", "0"], { METRICS_PORT: port });
    expect(taken.stderr).toContain("set METRICS_PORT to another port");
    expect(taken.code).toBe(exitCodes.USAGE);
  });

  it.each([["serve", "--port", "0"], ["migrate"]])("names DATA_DIR when it cannot be created: %s", async (...args) => {
    const dataDir = path.join(import.meta.filename, "below");
    const { code, stderr } = await countersign(args, { DATA_DIR: dataDir });
    expect(stderr).toContain(`the folder ${dataDir} cannot be created (ENOTDIR): set DATA_DIR`);
    expect(code).toBe(exitCodes.USAGE);
  });

  it.each([
    ["DATA_DIR", "/proc/none/at/all", "/proc/none/at/all"],
    ["SIGNING_KEY_FILE", "/proc/none/keys.json", "/proc/none"],
  ])("does not hang on %s=%s, where Node's own mkdir would", async (name, value, folder) => {
    const dataDir = await makeDataDir();
    const { code, stderr } = await countersign(["serve", "--port", "0"], { DATA_DIR: dataDir, [name]: value });
    expect(stderr).toContain(`the folder ${folder} cannot be created (ENOENT): set ${name}`);
    expect(code).toBe(exitCodes.USAGE);
    await rm(dataDir, { recursive: true });
  });

  it("refuses a catalog that is none before it listens", async () => {
    const { code, stderr } = await countersign(["serve", "--port", "0", "--catalog", "package.json"], {
      DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
    });
    expect(stderr).toContain("package.json");
    expect(code).toBe(exitCodes.USAGE);
  });
});
