import { chmod, chown, copyFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { countersign } from "../cli/run.ts";
import { forget, startApp } from "../support/app.ts";
import { type Authority, type CertificateFiles, createAuthority } from "../support/certificates.ts";
import { silent } from "../support/log.ts";
import { makeDataDir, withClient } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";

let folder: string;
let authority: Authority;
let postgres: EmbeddedPostgres;

beforeAll(async () => {
  folder = await makeDataDir();
  authority = await createAuthority(folder);
  postgres = await startEmbeddedPostgres({ dataDir: folder, log: silent, settings: { fsync: "off" } });
  await install(await authority.issue("database", "DNS:localhost"));
  await withClient(postgres.url, async (client) => {
    await client.query("ALTER SYSTEM SET ssl_cert_file = 'database.pem'");
    await client.query("ALTER SYSTEM SET ssl_key_file = 'database.key'");
    await client.query("ALTER SYSTEM SET ssl = on");
    await client.query("SELECT pg_reload_conf()");
  });
  await waitUntil(async () => (await settingOfSsl()) === "on");
}, 120_000);
afterAll(async () => {
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});

const settingOfSsl = () =>
  withClient(postgres.url, async (client) => (await client.query<{ ssl: string }>("SHOW ssl")).rows[0]?.ssl);

/** Puts a certificate where the database looks for it, owned as the database demands. */
async function install({ certFile, keyFile }: CertificateFiles): Promise<void> {
  const cluster = path.join(folder, "postgres");
  const { uid, gid } = await stat(cluster);
  for (const [from, to] of [
    [certFile, "database.pem"],
    [keyFile, "database.key"],
  ] as const) {
    const file = path.join(cluster, to);
    await copyFile(from, file);
    await chmod(file, 0o600);
    await chown(file, uid, gid);
  }
}

/** The address of the database, by name, verified with the root certificate in a file. */
function verified(rootFile: string, host = "localhost"): string {
  const url = new URL(postgres.url);
  url.hostname = host;
  url.searchParams.set("sslmode", "verify-full");
  url.searchParams.set("sslrootcert", rootFile);
  return url.href;
}

describe("a database with a certificate", () => {
  it("is connected to with verified TLS alone", async () => {
    const app = await startApp({ databaseUrl: verified(authority.certFile) });
    try {
      expect(await app.ask("{viewer{id}}", {}, "member")).toEqual({ viewer: { id: "member" } });
      await app.ask("{verifyLedger{verdict}}", {}, "auditor");
      const { rows } = await withClient(postgres.url, (client) =>
        client.query<{ ssl: boolean; count: number }>(
          `SELECT ssl, count(*)::int FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY ssl`,
        ),
      );
      expect(rows).toEqual([{ ssl: true, count: expect.any(Number) }]);
      expect(rows[0]?.count).toBeGreaterThan(3);
    } finally {
      await app.stop();
      await forget(app);
    }
  });

  it("is refused when somebody else issued its certificate", async () => {
    const stranger = await createAuthority(folder, "stranger");
    const { code, stderr } = await countersign(["migrate"], { DATABASE_URL: verified(stranger.certFile) });
    expect(stderr).toMatch(/certificate/);
    expect(code).not.toBe(exitCodes.OK);
  });

  it("is refused when its certificate is for another name", async () => {
    await install(await authority.issue("elsewhere", "DNS:elsewhere.example"));
    await withClient(postgres.url, (client) => client.query("SELECT pg_reload_conf()"));
    const refusal = async () => (await countersign(["migrate"], { DATABASE_URL: verified(authority.certFile) })).stderr;
    await expect.poll(refusal, { timeout: 30_000 }).toMatch(/elsewhere\.example/);
  });
});
