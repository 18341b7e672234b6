import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { factJwks } from "../../src/domain/identity/fact-keys.ts";
import { appendActions, createLedger } from "../ledger/verify.fixture.ts";
import { FACT_KEYS } from "../support/fact-keys.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";

/** The verifier in Python, which was written from FORMAT.md and the vectors alone, against ours. */
const ROOT = path.resolve(import.meta.dirname, "../..");
const FOLDER = path.join(ROOT, "clients/verify/python");
const LEDGER = "acme/eu";
const run = promisify(execFile);
let directory: string;
let database: TestDatabase;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "countersign-python-"));
  database = await createTestDatabase();
});
afterAll(async () => {
  await database?.drop();
  await rm(directory, { recursive: true, force: true });
});

interface Report {
  readonly verdict: string;
  readonly problems: readonly { readonly verdict: string; readonly seq: string | null }[];
}

async function verify(lines: readonly string[], payloads: readonly string[] = []): Promise<Report> {
  const [entries, values, keys] = ["entries.txt", "payloads.txt", "keys.jwks"].map((name) =>
    path.join(directory, name),
  );
  await writeFile(entries ?? "", lines.map((line) => `${line}\n`).join(""));
  await writeFile(values ?? "", payloads.map((line) => `${line}\n`).join(""));
  await writeFile(keys ?? "", JSON.stringify(factJwks(FACT_KEYS)));
  const args = [
    "-B",
    "-m",
    "countersign_verify",
    "--ledger",
    LEDGER,
    "--keys",
    keys ?? "",
    "--payloads",
    values ?? "",
    "--json",
  ];
  const { stdout } = await run("python3", [...args, entries ?? ""], { cwd: FOLDER, maxBuffer: 1e8 }).catch((error) => {
    if (error.code !== 1) throw error;
    return error as { readonly stdout: string };
  });
  return JSON.parse(stdout) as Report;
}

it("passes its own tests, with this FORMAT.md and these vectors", async () => {
  const env = {
    ...process.env,
    FORMAT: path.join(ROOT, "src/facts/FORMAT.md"),
    VECTORS: path.join(ROOT, "test/vectors/entry-v1.json"),
    PYTHONDONTWRITEBYTECODE: "1",
  };
  const { stderr } = await run("python3", ["-m", "unittest", "discover", "-p", "test_*.py"], { cwd: FOLDER, env });
  expect(stderr).toMatch(/\nRan \d+ tests in [\s\S]*\nOK\n?$/);
}, 300_000);

describe("of a ledger that servers appended", () => {
  let lines: string[];
  let payloads: string[];

  beforeAll(async () => {
    const client = new Client({ connectionString: database.superuserUrl });
    await client.connect();
    try {
      await createLedger(client, LEDGER);
      await appendActions(client, LEDGER, 0, 20);
      const { rows } = await client.query<{ seq: string; entry: string; payload: string | null }>(
        `SELECT e.seq, e.entry, p.payload::text AS payload FROM oc_audit_log e LEFT JOIN oc_audit_payload p USING (ledger, seq)
          WHERE ledger = $1 ORDER BY e.seq`,
        [LEDGER],
      );
      lines = rows.map(({ entry }) => entry);
      payloads = rows.flatMap(({ seq, payload }) => (payload === null ? [] : [`${seq} ${payload}`]));
    } finally {
      await client.end();
    }
  });

  it("finds what we find: nothing", async () => {
    const pool = createPool({ connectionString: database.appUrl, max: 3, applicationName: "test", log: silent });
    expect(await verifyLedger(pool, LEDGER)).toMatchObject({ verdict: "INTACT", problems: [] });
    await pool.end();
    expect(await verify(lines, payloads)).toMatchObject({ verdict: "INTACT", problems: [] });
  });

  it.each<[string, (all: string[], values: string[]) => void, string, string]>([
    [
      "a byte changed",
      (all) => void all.splice(9, 1, (all[9] ?? "").replace('"region":"eu"', '"region":"us"')),
      "LINK_BROKEN",
      "11",
    ],
    ["an entry removed", (all) => void all.splice(9, 1), "SEQUENCE_GAP", "10"],
    ["a payload removed", (_, values) => void values.splice(3, 1), "PAYLOAD_MISSING", ""],
    [
      "a value changed",
      (_, values) => void values.splice(3, 1, (values[3] ?? "").replace(/"value":"./, '"value":"~')),
      "CONTENT_MISMATCH",
      "",
    ],
  ])("finds %s", async (_, change, verdict, seq) => {
    const [all, values] = [[...lines], [...payloads]];
    change(all, values);
    expect([all, values]).not.toEqual([lines, payloads]);
    const found = await verify(all, values);
    expect(found.problems.map((problem) => problem.verdict)).toContain(verdict);
    expect(found.verdict).not.toBe("INTACT");
    if (seq !== "")
      expect(found.problems.map((problem) => `${problem.verdict} ${problem.seq}`)).toContain(`${verdict} ${seq}`);
  });
});
