import { Client, Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { seal } from "../../src/facts/commitment.ts";
import { GENESIS_HASH, type LedgerHead } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { type LedgerProblem, RANGE_SIZE, VerificationRangeError } from "../../src/ledger/verify.ts";
import { inOrder, verdictOf } from "../../src/verify/verdict.ts";
import { verifyLedger } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { appendActions, createLedger, uuid } from "./verify.fixture.ts";

const LEDGER = "acme/eu";
let database: TestDatabase;
let superuser: Client;
let pool: Pool;
let head: LedgerHead;

beforeAll(async () => {
  database = await createTestDatabase();
  superuser = new Client({ connectionString: database.superuserUrl });
  await superuser.connect();
  pool = createPool({ connectionString: database.appUrl, max: 4, applicationName: "test", log: silent });
  await createLedger(superuser, LEDGER);
  await appendActions(superuser, LEDGER, 0, 40);
  head = await readHead();
});

afterAll(async () => {
  await pool.end();
  await superuser.end();
  await database.drop();
});

async function readHead(ledger: string = LEDGER): Promise<LedgerHead> {
  const { rows } = await superuser.query<{ seq: string; hash: string }>(
    "SELECT seq, encode(hash, 'hex') AS hash FROM oc_ledger_head WHERE ledger = $1",
    [ledger],
  );
  return { seq: BigInt(rows[0]!.seq), hash: rows[0]!.hash };
}

describe("verifyLedger", () => {
  it("finds a ledger intact, as oc_app, with the head known outside", async () => {
    expect(await verifyLedger(pool, LEDGER, { knownHead: head })).toEqual({
      verdict: "INTACT",
      fromSeq: 1n,
      toSeq: 201n,
      checkedEntries: 201n,
      head,
      problems: [],
      durationMs: expect.any(Number),
    });
  });

  it("works for the auditor's role too", async () => {
    const auditor = createPool({
      connectionString: database.superuserUrl,
      max: 2,
      applicationName: "test",
      log: silent,
      role: "oc_auditor",
    });
    expect((await verifyLedger(auditor, LEDGER)).verdict).toBe("INTACT");
    await auditor.end();
  });

  it("returns EMPTY, never INTACT, when there was nothing to check", async () => {
    expect(await verifyLedger(pool, "nobody/eu")).toMatchObject({
      verdict: "EMPTY",
      checkedEntries: 0n,
      fromSeq: 1n,
      toSeq: 0n,
      head: { seq: 0n, hash: GENESIS_HASH },
      problems: [],
    });
  });

  it("reports a missing ledger that is known outside the database", async () => {
    const report = await verifyLedger(pool, "nobody/eu", { knownHead: head });
    expect(report).toMatchObject({
      verdict: "TRUNCATED",
      checkedEntries: 0n,
      problems: [{ verdict: "TRUNCATED", seq: 1n }],
    });
  });

  it("checks a part and returns its range", async () => {
    expect(await verifyLedger(pool, LEDGER, { fromSeq: 50n, toSeq: 99n })).toMatchObject({
      verdict: "INTACT",
      fromSeq: 50n,
      toSeq: 99n,
      checkedEntries: 50n,
      head,
    });
    expect(await verifyLedger(pool, LEDGER, { fromSeq: 201n })).toMatchObject({
      verdict: "INTACT",
      toSeq: 201n,
      checkedEntries: 1n,
    });
  });

  it.each([
    ["before the first position", { fromSeq: 0n }, "fromSeq"],
    ["negative", { fromSeq: -5n, toSeq: 3n }, "fromSeq"],
    ["backwards", { fromSeq: 9n, toSeq: 3n }, "toSeq"],
    ["beyond the end", { toSeq: 202n }, "toSeq"],
    ["beginning beyond the end", { fromSeq: 202n }, "fromSeq"],
  ])("refuses a range that is %s", async (_, range, member) => {
    const refusal = await verifyLedger(pool, LEDGER, range).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(VerificationRangeError);
    expect(refusal).toMatchObject({ code: "BAD_RANGE", path: [member] });
  });

  it("refuses a range of a ledger that is not there", async () => {
    await expect(verifyLedger(pool, "nobody/eu", { toSeq: 1n })).rejects.toBeInstanceOf(VerificationRangeError);
  });

  it("names values that are missing, for nobody ordered their erasure", async () => {
    const { rows } = await superuser.query<{ payload: string }>(
      "SELECT payload::text AS payload FROM oc_audit_payload WHERE seq = 2",
    );
    const before = rows[0]!.payload;
    const without = before.replace(/"rationale":\{"salt":"[^"]+","value":"[^"]*"\},/, "");
    expect(without).not.toBe(before);
    await superuser.query("UPDATE oc_audit_payload SET payload = $1::json WHERE seq = 2", [without]);
    const { rows: kept } = await superuser.query<{ payload: string }>(
      "DELETE FROM oc_audit_payload WHERE seq = 3 RETURNING payload::text AS payload",
    );
    const missing = (seq: bigint, paths: string) => ({
      verdict: "PAYLOAD_MISSING",
      seq,
      detail: expect.stringMatching(new RegExp(`^no value is stored for ${paths}, and no entry ordered its erasure`)),
    });
    const report = await verifyLedger(pool, LEDGER, { knownHead: head });
    expect(report).toMatchObject({
      verdict: "PAYLOAD_MISSING",
      problems: [missing(2n, "rationale"), missing(3n, "actor.*")],
    });
    await superuser.query("UPDATE oc_audit_payload SET payload = '{}' WHERE seq = 2");
    const { problems } = await verifyLedger(pool, LEDGER, { knownHead: head });
    expect(problems[0]).toEqual(missing(2n, "actor.profile, arguments, .*, rationale, rendered, userRequest"));
    await superuser.query("UPDATE oc_audit_payload SET payload = $1::json WHERE seq = 2", [before]);
    await superuser.query(
      "INSERT INTO oc_audit_payload SELECT ledger, seq, $2::json, recorded_at FROM oc_audit_log WHERE ledger = $1 AND seq = 3",
      [LEDGER, kept[0]!.payload],
    );
  });

  it("verifies every kind of value an entry may hold", async () => {
    const ledger = "globex/eu";
    await createLedger(superuser, ledger);
    const odd = {
      "…": '“quotes” "escaped" \\ \u2028 \u{1f600} \u0001',
      n: 1e21,
      z: -0,
      nested: { salt: "x", value: [null, true, 0.1] },
    };
    const drafts = [
      {
        id: uuid("odd", 1),
        type: "ODD",
        actor: { id: '“ünï”\t"a"' },
        arguments: new Erasable(odd),
        text: '"type":"FORGED"',
      },
      {
        id: uuid("odd", 2),
        type: "ODD",
        actor: {},
        deep: { deeper: { deepest: new Erasable("") } },
        list: [{ note: new Erasable([]) }],
      },
      {
        id: uuid("odd", 3),
        type: "ODD",
        platform: "",
        tool: "__proto__",
        effect: "constructor",
        "": new Erasable(null),
      },
    ].map((body) => seal(body));
    await superuser.query("SELECT oc_ledger_append($1, $2, $3)", [
      ledger,
      drafts.map(({ body }) => body).join("\n"),
      drafts.map(({ payload }) => payload).join("\n"),
    ]);
    const report = await verifyLedger(pool, ledger);
    expect(report).toMatchObject({ verdict: "INTACT", checkedEntries: 4n, problems: [] });
  });

  it("verifies a ledger of several ranges with any number of workers, and reports its progress", async () => {
    const ledger = "initech/eu";
    await createLedger(superuser, ledger);
    for (let round = 0; round < 9; round++) {
      const ids = Array.from({ length: 5_000 }, (_, at) => uuid("many", round * 5_000 + at));
      const batch = ids.map((id) => seal({ id, type: "NOTE" }).body).join("\n");
      await superuser.query("SELECT oc_ledger_append($1, $2)", [ledger, batch]);
    }
    const total = 45_001n;
    expect(total).toBeGreaterThan(2n * RANGE_SIZE);
    for (const workers of [1, 2, 3]) {
      const steps: bigint[] = [];
      const report = await verifyLedger(pool, ledger, {
        workers,
        onProgress: (progress) => {
          expect(progress.total).toBe(total);
          steps.push(progress.checked);
        },
      });
      expect(report).toMatchObject({ verdict: "INTACT", checkedEntries: total, toSeq: total });
      expect(steps).toHaveLength(5);
      expect(steps.at(-1)).toBe(total);
    }
  });

  it("verifies while others append", async () => {
    const ledger = "umbrella/eu";
    await createLedger(superuser, ledger);
    await appendActions(superuser, ledger, 0, 10);
    const writer = appendActions(superuser, ledger, 10, 400);
    let reached = 0n;
    for (let round = 0; round < 5; round++) {
      const report = await verifyLedger(pool, ledger);
      expect(report.problems).toEqual([]);
      expect(report.verdict).toBe("INTACT");
      expect(report.head.seq).toBeGreaterThanOrEqual(reached);
      expect(report.checkedEntries).toBe(report.head.seq);
      reached = report.head.seq;
    }
    await writer;
    expect((await verifyLedger(pool, ledger)).checkedEntries).toBe(2_001n);
  });

  it("does not swallow a database that fails", async () => {
    const broken = new Pool({ connectionString: database.superuserUrl, max: 2 });
    await broken.end();
    await expect(verifyLedger(broken, LEDGER)).rejects.toThrow("Cannot use a pool after calling end on the pool");
  });
});

describe("verdictOf", () => {
  const problem = (verdict: LedgerProblem["verdict"], seq?: bigint): LedgerProblem => ({ verdict, seq, detail: "" });

  it("is the first problem's, of the gravest kind at that position", () => {
    const ordered = inOrder([
      problem("UNGUARDED"),
      problem("CHECKPOINT_INCONSISTENT", 9n),
      problem("CONTENT_MISMATCH", 7n),
      problem("LINK_BROKEN", 7n),
      problem("TRUNCATED", 12n),
    ]);
    expect(ordered.map(({ verdict }) => verdict)).toEqual([
      "LINK_BROKEN",
      "CONTENT_MISMATCH",
      "CHECKPOINT_INCONSISTENT",
      "TRUNCATED",
      "UNGUARDED",
    ]);
    expect(verdictOf(ordered, 12n)).toBe("LINK_BROKEN");
  });

  it("is UNGUARDED when the entries alone are right, and EMPTY when there were none", () => {
    expect(verdictOf([problem("UNGUARDED")], 5n)).toBe("UNGUARDED");
    expect(verdictOf([problem("UNGUARDED")], 0n)).toBe("EMPTY");
    expect(verdictOf([], 0n)).toBe("EMPTY");
    expect(verdictOf([], 1n)).toBe("INTACT");
  });
});
