import { randomBytes } from "node:crypto";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { DatabaseError, escapeIdentifier } from "pg";
import { createPool } from "../../../src/db/pool.ts";
import { parseFactKeys } from "../../../src/domain/identity/fact-keys.ts";
import { readHeads } from "../../../src/ledger/heads.ts";
import { headOptions, verifyLedger } from "../../../src/ledger/verify.ts";
import { countersign } from "../../cli/run.ts";
import { type App, startApp } from "../../support/app.ts";
import { silent } from "../../support/log.ts";
import { withClient, withDatabase } from "../../support/server.ts";
import { waitUntil } from "../../support/wait.ts";
import { append } from "./attempts.ts";
import { loginUrl, type Prepared } from "./prepare.ts";
import { plainly, unguarded } from "./sql.ts";
import type { Case } from "./table.ts";

/** What a verification found first. */
export interface Found {
  readonly verdict: string;
  readonly seq: string | undefined;
  /** Of all problems, so that a message can be looked at. */
  readonly details: readonly string[];
}

/** How the running server noticed by itself. */
export interface Notice {
  readonly seconds: number;
  /** The pass of the watcher; see src/ledger/watch. */
  readonly by: string;
  readonly verdict: string;
}

export interface Result {
  readonly of: Case;
  /** `countersign verify` on the database, by keys and heads from outside it. */
  readonly outside: Found;
  /** `verifyLedger` of the running server. */
  readonly api: Found;
  readonly notice: Notice | undefined;
  /** Why the database refused the manipulation itself. */
  readonly refused: string | undefined;
  /** The code of the next append on the server that noticed, or not. */
  readonly next: string;
  /** What attempts came to on a server that only alarms, by name, and verification after them. */
  readonly attempts: Readonly<Record<string, string>>;
  readonly afterwards: Found | undefined;
}

const WATCHING = { WATCH_INTERVAL: "0.5", WATCH_WHOLE_INTERVAL: "1", WATCH_SHARE: "100" };
/** A server that looks after nothing by itself for the time of a test, and goes on whatever calls find. */
const GOING_ON = { WATCH_ACTION: "alarm", WATCH_INTERVAL: "86400", WATCH_SHARE: "100" };
/**
 * Milliseconds after which a manipulation counts as not noticed. A whole ledger is verified every five seconds; the longer time is
 * for busy machines.
 */
const NOT_NOTICED = { expected: 60_000, undetectable: 15_000 };

export interface RunOptions {
  /** Whether attempts are made, on a server of their own. */
  readonly attempts: boolean;
  /** Whether `countersign verify` verifies as a process of its own; otherwise what it calls does, in this one, which takes less time. */
  readonly command: boolean;
}

/** A copy of what was prepared, which nobody minds being broken. */
async function copy(prepared: Prepared) {
  const name = `tampered_${randomBytes(6).toString("hex")}`;
  const { server, template } = prepared;
  const onServer = (sql: string) => withClient(server.url, (client) => client.query(sql));
  await waitUntil(async () => {
    const busy = "SELECT FROM pg_stat_activity WHERE datname = $1";
    return (await withClient(server.url, (client) => client.query(busy, [template]))).rows.length === 0;
  });
  await onServer(`CREATE DATABASE ${escapeIdentifier(name)} TEMPLATE ${escapeIdentifier(template)}`);
  const directory = await mkdtemp(path.join(tmpdir(), "countersign-tampered-"));
  const dataDir = path.join(directory, "data");
  await cp(prepared.dataDir, dataDir, { recursive: true });
  return {
    name,
    dataDir,
    superuserUrl: withDatabase(server.url, name),
    appUrl: loginUrl(server.url, name),
    async drop() {
      await onServer(`DROP DATABASE ${escapeIdentifier(name)} WITH (FORCE)`);
      await rm(directory, { recursive: true });
    },
  };
}
type Copy = Awaited<ReturnType<typeof copy>>;

interface Verification {
  readonly verdict: string;
  readonly problems: readonly { readonly verdict: string; readonly seq: string | null; readonly detail: string }[];
}
function found({ verdict, problems }: Verification): Found {
  const first = problems.find((problem) => problem.verdict === verdict) ?? problems[0];
  return {
    verdict,
    seq: first?.seq ?? undefined,
    details: problems.map((one) => `${one.verdict} ${one.seq ?? ""} ${one.detail}`),
  };
}

async function verifyHere({ superuserUrl, dataDir }: Copy, keysFile: string): Promise<Found> {
  const role = "oc_auditor";
  const pool = createPool({ connectionString: superuserUrl, max: 3, applicationName: "campaign", log: silent, role });
  try {
    const keys = await parseFactKeys(JSON.parse(await readFile(keysFile, "utf8")));
    const heads = await headOptions(readHeads(path.join(dataDir, "heads"), "acme/eu"));
    const { verdict, problems } = await verifyLedger(pool, "acme/eu", { keys, ...heads, workers: 1 });
    return found({ verdict, problems: problems.map((one) => ({ ...one, seq: one.seq?.toString() ?? null })) });
  } finally {
    await pool.end();
  }
}

async function verifyOutside({ superuserUrl, dataDir }: Copy, keys: string): Promise<Found> {
  const args = ["verify", "--database-url", superuserUrl, "--keys", keys, "--data-dir", dataDir, "--json"];
  const { stdout, stderr } = await countersign(args);
  // Some manipulations leave nothing that could be verified: then the command fails, and says why.
  return stdout.startsWith("{")
    ? found(JSON.parse(stdout) as Verification)
    : { verdict: "FAILED", seq: undefined, details: [stderr] };
}

async function verifyByApi(app: App): Promise<Found> {
  const { data, errors } = await app.gql<{ verifyLedger: Verification }>(
    "{verifyLedger{verdict problems{verdict seq detail}}}",
    {},
    "auditor",
  );
  if (data?.verifyLedger !== undefined) return found(data.verifyLedger);
  const [error] = errors ?? [];
  return { verdict: error?.extensions?.code ?? "FAILED", seq: undefined, details: [error?.message ?? ""] };
}

async function untilVerified(app: App): Promise<void> {
  type Answer = {
    readonly ledger: { readonly head: { readonly seq: string }; readonly health: { readonly verifiedTo: string } };
  };
  await waitUntil(async () => {
    const { ledger } = await app.ask<Answer>("{ledger{head{seq} health{verifiedTo}}}", {}, "auditor");
    return ledger.head.seq === ledger.health.verifiedTo;
  }, 120_000);
}

/**
 * The first problem of acme/eu that the server's log has after line `from`. The other ledger still has the problem of the guards that
 * was acknowledged in this one.
 */
async function noticed(app: App, of: Case, from: number, since: number): Promise<Notice | undefined> {
  const deadline = performance.now() + NOT_NOTICED[of.undetectable === undefined ? "expected" : "undetectable"];
  while (performance.now() < deadline) {
    const line = app.lines
      .slice(from)
      .find((one) => one.includes("a problem of a ledger was found") && one.includes('"ledger":"acme/eu"'));
    if (line !== undefined) {
      const { foundBy, verdict } = JSON.parse(line) as { readonly foundBy: string; readonly verdict: string };
      return { seconds: (performance.now() - since) / 1_000, by: foundBy, verdict };
    }
    await pause(20);
  }
  return undefined;
}

class RefusedAppend extends Error {}

async function forge(url: string, bodies: readonly string[]): Promise<void> {
  await withClient(url, async (client) => {
    for (const body of bodies) {
      const { rows } = await client.query<{ refusal: string | null }>(
        "SELECT refusal FROM oc_ledger_append('acme/eu', $1, '')",
        [body],
      );
      if (rows[0]?.refusal !== null) throw new RefusedAppend(`refused: ${rows[0]?.refusal}`);
    }
  });
}

/** Does what is to be done to the database. Returns why it was refused by it. */
async function manipulate(
  { sql, plain, forge: bodies }: Case,
  at: Copy,
  { facts }: Prepared,
): Promise<string | undefined> {
  if (plain !== undefined) await plainly(at.superuserUrl, plain.replaceAll("%DB%", at.name));
  if (sql !== undefined) await unguarded(at.superuserUrl, sql(facts));
  if (bodies === undefined) return undefined;
  try {
    await forge(at.appUrl, bodies(facts));
    return undefined;
  } catch (error) {
    // Anything else, such as a lost connection, refused nothing.
    if (error instanceof RefusedAppend || error instanceof DatabaseError) return error.message;
    throw error;
  }
}

/** Does `of` to a copy of what was prepared, while the product runs on it, and looks at what comes of it. */
export async function run(of: Case, prepared: Prepared, options: RunOptions): Promise<Result> {
  const at = await copy(prepared);
  const apps: App[] = [];
  const start = async (environment: Readonly<Record<string, string>>) => {
    const app = await startApp({ databaseUrl: at.appUrl, dataDir: at.dataDir, environment });
    apps.push(app);
    return app;
  };
  try {
    if (of.files !== undefined) await of.files(path.join(at.dataDir, "heads"));
    const attempts = options.attempts ? (of.attempts ?? []) : [];
    const withFiles = of.files !== undefined && (of.sql ?? of.plain) !== undefined;
    // Files are replaced while nobody writes them; what goes with that is then done before the start as well.
    const before = withFiles ? await manipulate(of, at, prepared) : undefined;
    const started = performance.now();
    const [watching, goingOn] = await Promise.all([start(WATCHING), attempts.length > 0 ? start(GOING_ON) : undefined]);
    if (of.files === undefined) await Promise.all([watching, goingOn].map((app) => app && untilVerified(app)));
    const lines = of.files === undefined ? watching.lines.length : 0;
    const since = of.files === undefined ? performance.now() : started;
    const refused = withFiles ? before : await manipulate(of, at, prepared);
    const verify = options.command ? verifyOutside : verifyHere;
    const [notice, outside] = await Promise.all([
      refused === undefined ? noticed(watching, of, lines, since) : undefined,
      verify(at, prepared.keysFile),
    ]);
    const api = await verifyByApi(watching);
    const next = await append.run(watching, prepared.facts);
    const came: Record<string, string> = {};
    if (goingOn !== undefined) {
      for (const attempt of attempts) came[attempt.name] = await attempt.run(goingOn, prepared.facts);
      came[append.name] = await append.run(goingOn, prepared.facts);
    }
    const afterwards = goingOn === undefined ? undefined : await verify(at, prepared.keysFile);
    return { of, outside, api, notice, refused, next, attempts: came, afterwards };
  } finally {
    await Promise.all(apps.map((app) => app.stop()));
    if (of.undo !== undefined) await plainly(prepared.server.url, of.undo);
    await at.drop();
  }
}
