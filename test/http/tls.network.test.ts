import { copyFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import path from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls, type PeerCertificate } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { exitCodes } from "../../src/cli/exit.ts";
import { countersign } from "../cli/run.ts";
import { type App, startApp } from "../support/app.ts";
import { type Authority, type CertificateFiles, createAuthority } from "../support/certificates.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { makeDataDir } from "../support/server.ts";
import { connect, dataOf } from "./client.ts";

let folder: string;
let database: TestDatabase;
let authority: Authority;
let used: CertificateFiles;
let app: App;

beforeAll(async () => {
  folder = await makeDataDir();
  database = await createTestDatabase();
  authority = await createAuthority(folder);
  used = await authority.issue("server", "DNS:localhost,IP:127.0.0.1");
  const environment = { TLS_CERT_FILE: used.certFile, TLS_KEY_FILE: used.keyFile };
  app = await startApp({ databaseUrl: database.appUrl, dataDir: folder, environment });
});
afterAll(async () => {
  await app?.stop();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

async function viewer(): Promise<unknown> {
  const headers = { authorization: `Bearer ${await app.token("member")}`, "content-type": "application/json" };
  const body = await new Promise<string>((resolve, reject) => {
    const sent = request(app.url, { method: "POST", ca: authority.ca, headers }, (response) => {
      text(response).then(resolve, reject);
    });
    sent.on("error", reject).end('{"query":"{viewer{id}}"}');
  });
  return JSON.parse(body);
}

/** Connects, and resolves to the version of TLS and the name that the server's certificate is for. */
function handshake(maxVersion: "TLSv1.2" | "TLSv1.3" = "TLSv1.3"): Promise<readonly [string | null, string]> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(app.url);
    const socket = connectTls({ host: hostname, port: Number(port), ca: authority.ca, maxVersion });
    socket.on("error", reject).on("secureConnect", () => {
      const { subject } = socket.getPeerCertificate() as PeerCertificate;
      resolve([socket.getProtocol(), String(subject.CN)]);
      socket.destroy();
    });
  });
}

async function install({ certFile, keyFile }: Partial<CertificateFiles>): Promise<void> {
  if (certFile !== undefined) await copyFile(certFile, used.certFile);
  if (keyFile !== undefined) await copyFile(keyFile, used.keyFile);
}

const logged = (message: string) => app.lines.filter((line) => line.includes(message)).length;

describe("a server with a certificate", () => {
  it("serves operations over TLS 1.3 alone, at an https address", async () => {
    expect(app.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/graphql$/);
    expect(await viewer()).toEqual({ data: { viewer: { id: "member" } } });
    expect(await handshake()).toEqual(["TLSv1.3", "server"]);
    await expect(handshake("TLSv1.2")).rejects.toThrow(/protocol version|alert/);
    await expect(fetch(app.url.replace("https", "http"))).rejects.toThrow();
  });

  it("serves WebSockets over it", async () => {
    const client = await connect(app.url.replace("http", "ws"), await app.token("member"), { ca: authority.ca });
    client.send({ type: "subscribe", id: "1", payload: { query: "{viewer{id}}" } });
    expect(dataOf(await client.next(({ id }) => id === "1"))).toEqual({ viewer: { id: "member" } });
    client.socket.close();
  });

  it("is found by commands with the same settings", async () => {
    const found = await countersign(["health"], {
      PORT: new URL(app.url).port,
      TLS_CERT_FILE: used.certFile,
      TLS_KEY_FILE: used.keyFile,
      NODE_EXTRA_CA_CERTS: authority.certFile,
    });
    expect(found).toMatchObject({ code: exitCodes.OK, stderr: "" });
  });

  it("uses another one when the files change, without closing connections", async () => {
    const client = await connect(app.url.replace("http", "ws"), await app.token("member"), { ca: authority.ca });
    await install(await authority.issue("renewed", "DNS:localhost,IP:127.0.0.1"));
    await expect.poll(() => handshake(), { timeout: 20_000 }).toEqual(["TLSv1.3", "renewed"]);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
    client.socket.close();
  });

  it("logs files that do not belong together once, and uses what it has", async () => {
    const other = await authority.issue("other", "DNS:localhost,IP:127.0.0.1");
    await install({ keyFile: other.keyFile });
    await expect.poll(() => logged("the TLS certificate cannot be used"), { timeout: 20_000 }).toBe(1);
    const [, name] = await handshake();
    await install(other);
    await expect.poll(() => handshake(), { timeout: 20_000 }).toEqual(["TLSv1.3", "other"]);
    expect([name, logged("the TLS certificate cannot be used")]).toEqual(["renewed", 1]);
  });
});

describe("serve", () => {
  it.each(["a key of another certificate", "no certificate"])("does not start with %s", async (what) => {
    const files = await authority.issue("good", "DNS:localhost");
    const { keyFile } = await authority.issue("stranger", "DNS:localhost");
    const none = path.join(folder, "none.pem");
    await writeFile(none, "no PEM");
    const environment = {
      TLS_CERT_FILE: what === "no certificate" ? none : files.certFile,
      TLS_KEY_FILE: what === "no certificate" ? files.keyFile : keyFile,
      DATA_DIR: folder,
      DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
    };
    const { code, stderr } = await countersign(["serve", "--port", "0"], environment);
    expect(stderr).toContain(
      `${environment.TLS_CERT_FILE} (TLS_CERT_FILE) and ${environment.TLS_KEY_FILE} (TLS_KEY_FILE)`,
    );
    expect(code).toBe(exitCodes.USAGE);
  });
});
