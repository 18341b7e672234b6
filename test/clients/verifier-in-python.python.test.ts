import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { appendActions, createLedger } from "../ledger/verify.fixture.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { PYTHON_FOLDER, readLines, type TextLines, verifyInPython } from "./in-python.ts";

/** The verifier in Python, which was written from FORMAT.md and the vectors alone, against ours. */
const ROOT = path.resolve(import.meta.dirname, "../..");
const LEDGER = "acme/eu";
const run = promisify(execFile);
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await database?.drop();
});

it("passes its own tests, with this FORMAT.md and these vectors", async () => {
  const env = {
    ...process.env,
    FORMAT: path.join(ROOT, "src/facts/FORMAT.md"),
    VECTORS: path.join(ROOT, "test/vectors/entry-v1.json"),
    PYTHONDONTWRITEBYTECODE: "1",
  };
  const { stderr } = await run("python3", ["-m", "unittest", "discover", "-p", "test_*.py"], {
    cwd: PYTHON_FOLDER,
    env,
  });
  expect(stderr).toMatch(/\nRan \d+ tests in [\s\S]*\nOK\n?$/);
}, 300_000);

describe("of a ledger that servers appended", () => {
  let ledger: TextLines;

  beforeAll(async () => {
    const client = new Client({ connectionString: database.superuserUrl });
    await client.connect();
    try {
      await createLedger(client, LEDGER);
      await appendActions(client, LEDGER, 0, 20);
    } finally {
      await client.end();
    }
    ledger = await readLines(database.superuserUrl, LEDGER);
  });

  it("finds what we find: nothing", async () => {
    const pool = createPool({ connectionString: database.appUrl, max: 3, applicationName: "test", log: silent });
    expect(await verifyLedger(pool, LEDGER)).toMatchObject({ verdict: "INTACT", problems: [] });
    await pool.end();
    expect(await verifyInPython(LEDGER, ledger)).toMatchObject({ verdict: "INTACT", problems: [] });
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
    const [entries, payloads] = [[...ledger.entries], [...ledger.payloads]];
    change(entries, payloads);
    expect({ entries, payloads }).not.toEqual(ledger);
    const found = await verifyInPython(LEDGER, { entries, payloads });
    expect(found.problems.map((problem) => problem.verdict)).toContain(verdict);
    expect(found.verdict).not.toBe("INTACT");
    if (seq !== "")
      expect(found.problems.map((problem) => `${problem.verdict} ${problem.seq}`)).toContain(`${verdict} ${seq}`);
  });
});
