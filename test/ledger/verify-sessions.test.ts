import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyLedger } from "../support/ledgers.ts";
import { unguarded } from "./manipulate-states.ts";
import { MEMBER, newId, note, openScene, type Scene, sessionStep } from "./scene.ts";

const LEDGER = "acme/eu";
const [ended, open] = [newId(), newId()];
let scene: Scene;
let superuser: Client;

beforeAll(async () => {
  scene = await openScene();
  const append = (body: Parameters<typeof scene.ledgers.append>[1]) => scene.ledgers.append(LEDGER, body);
  const start = {
    conversation: "c",
    expiresAt: "2030-01-01T00:00:00.500000Z",
    onBehalfOf: { id: "boss", kind: "HUMAN", roles: [], groups: [] },
  };
  await append(sessionStep(ended, 1, start)); // 2
  await append(note("a step", { session: ended, actor: MEMBER, onBehalfOf: start.onBehalfOf })); // 3
  await append(sessionStep(open, 1, { expiresAt: start.expiresAt })); // 4
  await append(note("another step", { session: open, actor: MEMBER })); // 5
  await append(sessionStep(ended, 2, { conversation: "c", onBehalfOf: start.onBehalfOf })); // 6
  superuser = new Client({ connectionString: scene.database.superuserUrl });
  await superuser.connect();
});

afterAll(async () => {
  await superuser.end();
  await scene.close();
});

/** What is found while `change` is in effect. */
async function found(change: string, range: { readonly fromSeq?: bigint; readonly toSeq?: bigint } = {}) {
  await superuser.query("CREATE TEMP TABLE kept AS SELECT * FROM oc_state");
  await superuser.query(unguarded(change));
  const { verdict, problems } = await verifyLedger(scene.pool, LEDGER, range);
  await superuser.query(unguarded("DELETE FROM oc_state; INSERT INTO oc_state SELECT * FROM kept; DROP TABLE kept"));
  return { verdict, seq: problems[0]?.seq, detail: problems[0]?.detail };
}

describe("verifyLedger, of session rows", () => {
  it("finds them intact as they were left, as a whole and in parts", async () => {
    expect(await verifyLedger(scene.pool, LEDGER)).toMatchObject({ verdict: "INTACT", problems: [] });
    for (const [fromSeq, toSeq] of [
      [1n, 3n],
      [3n, 6n],
    ] as const) {
      expect(await verifyLedger(scene.pool, LEDGER, { fromSeq, toSeq })).toMatchObject({ verdict: "INTACT" });
    }
  });

  it.each<readonly [string, string, bigint, RegExp]>([
    ["one that was opened again", "SET status = 'OPEN'", 6n, /status is OPEN, in the entry it is ENDED/],
    [
      "one that was set back to its start",
      `SET version = 1, status = 'OPEN', state = '{"status":"OPEN","expiresAt":"2030-01-01T00:00:00.500000Z"}', expires_at = '2030-01-01T00:00:00.5Z',
           updated_seq = first_seq, entries = entries[1:1], hash = (SELECT e.hash FROM oc_audit_log e WHERE e.seq = first_seq)`,
      6n,
      /does not list this entry as its version 2/,
    ],
    ["one given to somebody else", "SET actor_id = 'x'", 6n, /actor_id is x, in the entry it is member/],
    [
      "one given to nobody's agent",
      "SET on_behalf_of_id = NULL",
      6n,
      /on_behalf_of_id is nothing, in the entry it is boss/,
    ],
    ["one moved to another conversation", "SET conversation = ''", 6n, /conversation is , in the entry it is c/],
  ])("finds %s", async (_, change, seq, detail) => {
    expect(await found(`UPDATE oc_state ${change} WHERE id = '${ended}'`)).toEqual({
      verdict: "STATE_MISMATCH",
      seq,
      detail: expect.stringMatching(detail),
    });
  });

  it.each<readonly [string, string, RegExp]>([
    ["longer", "NULL", /expires_at is nothing, in the entry it is 2030-01-01T00:00:00.500000Z/],
    ["shorter", "expires_at - interval '1 second'", /expires_at is 2029-12-31T23:59:59.500000Z/],
    ["for ever", "'infinity'", /expires_at is infinity, in the entry it is 2030/],
  ])("finds one that lives %s", async (_, value, detail) => {
    expect(await found(`UPDATE oc_state SET expires_at = ${value} WHERE id = '${open}'`)).toEqual({
      verdict: "STATE_MISMATCH",
      seq: 4n,
      detail: expect.stringMatching(detail),
    });
  });

  it("finds one that was removed, and one that was invented", async () => {
    expect(await found(`DELETE FROM oc_state WHERE id = '${open}'`)).toEqual({
      verdict: "STATE_MISMATCH",
      seq: 4n,
      detail: `oc_state SESSION ${open} does not list this entry as its version 1`,
    });
    const invented = `INSERT INTO oc_state SELECT ledger, kind, gen_random_uuid()::text, version, state, status, expires_at, actor_id,
      on_behalf_of_id, conversation, first_seq, updated_seq, entries, hash FROM oc_state WHERE id = '${open}'`;
    expect(await found(invented)).toMatchObject({ verdict: "STATE_MISMATCH", seq: 4n });
    const before = invented.replace("first_seq, updated_seq, entries", "0, -1, '{-1}'");
    expect(await found(before)).toMatchObject({ verdict: "STATE_MISMATCH", seq: -1n });
  });

  it("finds one that ends in the part that is verified and began before it", async () => {
    const forgotten = `DELETE FROM oc_state WHERE id = '${ended}'`;
    expect(await found(forgotten, { fromSeq: 6n, toSeq: 6n })).toMatchObject({ verdict: "STATE_MISMATCH", seq: 6n });
    expect(await found(forgotten, { fromSeq: 4n, toSeq: 5n })).toMatchObject({ verdict: "INTACT" });
    // An entry that was made in it is there as well.
    expect(await found(forgotten, { fromSeq: 3n, toSeq: 5n })).toMatchObject({ verdict: "ILLEGAL_STEP", seq: 3n });
  });
});
