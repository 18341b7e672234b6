import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyLedger } from "../support/ledgers.ts";
import { unguarded } from "./manipulate-states.ts";
import { listing, note, openScene, type Scene } from "./scene.ts";

const LEDGER = "acme/eu";
let scene: Scene;
let superuser: Client;

beforeAll(async () => {
  scene = await openScene();
  const change = (kind: string, id: string, version: number, state: object) =>
    scene.ledgers.append(LEDGER, listing(kind, id, version, { ...state }));
  await change("PRINCIPAL", "agent-7", 1, { kind: "AGENT", roles: [], suspended: false }); // 2
  await change("TOKEN", "issuer 1", 1, { revoked: true }); // 3
  await change("PRINCIPAL", "agent-7", 2, { kind: "AGENT", roles: ["agent"], suspended: false }); // 4
  await scene.ledgers.append(LEDGER, note('not of the "directory":{}')); // 5
  await change("PRINCIPAL", "agent-7", 3, { kind: "AGENT", roles: ["agent"], suspended: true }); // 6
  await change("TOKEN", "issuer 2", 1, { revoked: true }); // 7
  await scene.ledgers.append("other/eu", listing("TOKEN", "issuer 1", 1, { revoked: true }));
  superuser = new Client({ connectionString: scene.database.superuserUrl });
  await superuser.connect();
});

afterAll(async () => {
  await superuser.end();
  await scene.close();
});

/** What is found while the tables of the directory are changed. */
async function found(change: string, range: { readonly fromSeq?: bigint; readonly toSeq?: bigint } = {}) {
  await superuser.query("CREATE TEMP TABLE kept AS SELECT * FROM oc_state");
  await superuser.query(unguarded(change));
  const report = await verifyLedger(scene.pool, LEDGER, range);
  await superuser.query(unguarded("DELETE FROM oc_state; INSERT INTO oc_state SELECT * FROM kept; DROP TABLE kept"));
  return report;
}

const mismatch = (seq: bigint, detail: string | RegExp) => ({
  verdict: "STATE_MISMATCH",
  seq,
  detail: expect.stringMatching(detail),
});
const AGENT = "oc_state PRINCIPAL agent-7";
/** A row that claims to have been made by the entry at `seq`. */
const added = (
  seq: number,
) => `INSERT INTO oc_state (ledger, kind, id, version, state, conversation, first_seq, updated_seq, entries, hash)
  VALUES ('acme/eu', 'PRINCIPAL', 'mallory', 1, '{"roles":["admin"]}', '', ${seq}, ${seq}, '{${seq}}', sha256('x'))`;

describe("verifyLedger, of the directory", () => {
  it("finds it intact as it was left, as a whole and in parts", async () => {
    expect(await verifyLedger(scene.pool, LEDGER)).toMatchObject({ verdict: "INTACT", problems: [] });
    for (const [fromSeq, toSeq] of [
      [1n, 4n],
      [3n, 5n],
      [5n, 7n],
    ] as const) {
      expect(await verifyLedger(scene.pool, LEDGER, { fromSeq, toSeq })).toMatchObject({ verdict: "INTACT" });
    }
  });

  it.each<readonly [string, string, bigint, string | RegExp]>([
    [
      "a state that was changed",
      `UPDATE oc_state SET state = state || '{"suspended":false}' WHERE id = 'agent-7'`,
      6n,
      /^oc_state PRINCIPAL agent-7: state is .*false.*, in the entry it is .*true/,
    ],
    [
      "a version that was changed",
      "UPDATE oc_state SET version = 4, entries = '{2,4,5,6}' WHERE id = 'agent-7'",
      6n,
      `${AGENT}: version is 4, in the entry it is 3`,
    ],
    [
      "a beginning that was moved",
      "UPDATE oc_state SET first_seq = 4 WHERE id = 'agent-7'",
      6n,
      `${AGENT}: first_seq is 4, its first entry is 2`,
    ],
    [
      "a row given to another thing",
      "UPDATE oc_state SET id = 'agent-8' WHERE id = 'agent-7'",
      2n,
      `${AGENT} does not list this entry as its version 1`,
    ],
    [
      "a row of another kind",
      "UPDATE oc_state SET kind = 'SETUP' WHERE id = 'issuer 2'",
      7n,
      /oc_state SETUP issuer 2: the entry has no state of it/,
    ],
    [
      "a row that was removed",
      "DELETE FROM oc_state WHERE ledger = 'acme/eu' AND id = 'issuer 1'",
      3n,
      "^oc_state TOKEN issuer 1 does not list this entry as its version 1$",
    ],
    [
      "a row set back to what an earlier entry said",
      `UPDATE oc_state s SET version = 2, updated_seq = 4, entries = '{2,4}', state = '{"kind":"AGENT","roles":["agent"],"suspended":false}', hash = e.hash
         FROM oc_audit_log e WHERE s.id = 'agent-7' AND e.ledger = s.ledger AND e.seq = 4`,
      6n,
      `^${AGENT} does not list this entry as its version 3$`,
    ],
    ["a row that was added", added(5), 5n, "^oc_state PRINCIPAL mallory: the entry has no state of it$"],
    [
      "a row that was added before every entry",
      added(0),
      0n,
      "^oc_state PRINCIPAL mallory: the entry has no state of it$",
    ],
    [
      "a row that was added beside an entry of another",
      `INSERT INTO oc_state SELECT ledger, kind, 'mallory', version, state, status, expires_at, actor_id, on_behalf_of_id, conversation,
              first_seq, updated_seq, entries, hash FROM oc_state WHERE id = 'agent-7'`,
      6n,
      "oc_state PRINCIPAL mallory: the entry has no state of it",
    ],
  ])("finds %s", async (_, change, seq, detail) => {
    const { verdict, problems } = await found(change);
    expect(verdict).toBe("STATE_MISMATCH");
    expect(problems[0]).toEqual(mismatch(seq, detail));
  });

  it("takes a row that belongs behind the last entry as the trace of entries that were cut off", async () => {
    const { verdict, problems } = await found("UPDATE oc_state SET updated_seq = 12 WHERE id = 'agent-7'");
    expect(verdict).toBe("TRUNCATED");
    expect(problems[0]).toMatchObject({ seq: 8n });
  });

  it("finds a changed row when only the part with its last entry is verified", async () => {
    const change = "UPDATE oc_state SET state = '{}' WHERE id = 'agent-7'";
    expect((await found(change, { fromSeq: 6n, toSeq: 6n })).problems[0]).toMatchObject({ seq: 6n });
    expect((await found(change, { fromSeq: 2n, toSeq: 5n })).verdict).toBe("INTACT");
  });
});
