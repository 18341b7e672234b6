import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { silent } from "./log.ts";

export interface TestServer {
  /** Superuser URL. */
  readonly url: string;
  stop(): Promise<void>;
}

/** An empty directory that the database may live in, which runs as another user when we are root. */
export async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "countersign-test-"));
  await chmod(dataDir, 0o711);
  return dataDir;
}

/** TEST_DATABASE_URL, or a server of our own in which nothing need survive a power cut. */
export async function startTestServer(): Promise<TestServer> {
  const given = process.env.TEST_DATABASE_URL;
  if (given !== undefined) return { url: given, stop: () => Promise.resolve() };
  const dataDir = await makeDataDir();
  const remove = () => rm(dataDir, { recursive: true, force: true });
  try {
    const settings = { fsync: "off", full_page_writes: "off" };
    const postgres = await startEmbeddedPostgres({ dataDir, log: silent, settings });
    return { url: postgres.url, stop: () => postgres.stop().then(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The same server, another database. */
export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

/** Runs `work` on a connection of its own, closed afterwards. */
export async function withClient<Result>(url: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
