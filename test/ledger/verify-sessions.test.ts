import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { newId, note, openScene, type Scene, sessionStep } from "./scene.ts";

const LEDGER = "acme/eu";
const [ended, open] = [newId(), newId()];
let scene: Scene;
let superuser: Client;

beforeAll(async () => {
  scene = await openScene();
  const append = (body: Parameters<typeof scene.ledgers.append>[1]) => scene.ledgers.append(LEDGER, body);
  const start = { conversation: "c", sessionExpiresAt: "2030-01-01T00:00:00.5Z", onBehalfOf: { id: "boss" } };
  await append(sessionStep(ended, 1, start)); // 2
  await append(note("a step", { session: ended })); // 3
  await append(sessionStep(open, 1)); // 4
  await append(sessionStep(ended, 2, { actor: { id: "countersign" } })); // 5
  superuser = new Client({ connectionString: scene.database.superuserUrl });
  await superuser.connect();
});

afterAll(async () => {
  await superuser.end();
  await scene.close();
});

/** What is found while `change` is in effect. */
async function found(change: string, range: { readonly fromSeq?: bigint; readonly toSeq?: bigint } = {}) {
  await superuser.query("CREATE TEMP TABLE kept AS SELECT * FROM oc_session");
  await superuser.query(change);
  const { verdict, problems } = await verifyLedger(scene.pool, LEDGER, range);
  await superuser.query("DELETE FROM oc_session; INSERT INTO oc_session SELECT * FROM kept; DROP TABLE kept");
  return { verdict, seq: problems[0]?.seq, detail: problems[0]?.detail };
}

describe("verifyLedger, of session rows", () => {
  it("finds them intact as they were left, as a whole and in parts", async () => {
    expect(await verifyLedger(scene.pool, LEDGER)).toMatchObject({ verdict: "INTACT", problems: [] });
    for (const [fromSeq, toSeq] of [
      [1n, 3n],
      [3n, 5n],
    ] as const) {
      expect(await verifyLedger(scene.pool, LEDGER, { fromSeq, toSeq })).toMatchObject({ verdict: "INTACT" });
    }
  });

  it.each<readonly [string, string, bigint, RegExp]>([
    ["one that was opened again", "SET ended = false", 5n, /ended is false, the entry says true/],
    [
      "one that was set back to its start",
      "SET version = 1, ended = false, updated_seq = started_seq",
      5n,
      /does not have this entry as its version 2/,
    ],
    ["one given to somebody else", "SET actor_id = 'x'", 5n, /actor_id is x, the entry says member/],
    [
      "one given to nobody's agent",
      "SET on_behalf_of_id = NULL",
      5n,
      /on_behalf_of_id is nothing, the entry says boss/,
    ],
    ["one moved to another conversation", "SET conversation = ''", 5n, /conversation is , the entry says c/],
    [
      "one that lives longer",
      "SET expires_at = NULL",
      5n,
      /expires_at is nothing, the entry says 2030-01-01T00:00:00.500000Z/,
    ],
    [
      "one that lives shorter",
      "SET expires_at = expires_at - interval '1 second'",
      5n,
      /expires_at is 2029-12-31T23:59:59.500000Z/,
    ],
  ])("finds %s", async (_, change, seq, detail) => {
    expect(await found(`UPDATE oc_session ${change} WHERE id = '${ended}'`)).toEqual({
      verdict: "CONTENT_MISMATCH",
      seq,
      detail: expect.stringMatching(detail),
    });
  });

  it("finds one that was removed, and one that was invented", async () => {
    expect(await found(`DELETE FROM oc_session WHERE id = '${open}'`)).toEqual({
      verdict: "CONTENT_MISMATCH",
      seq: 4n,
      detail: `oc_session ${open} does not have this entry as its version 1`,
    });
    const invented = `INSERT INTO oc_session SELECT ledger, gen_random_uuid(), version, actor_id, on_behalf_of_id, conversation,
      expires_at, started_seq, updated_seq, ended FROM oc_session WHERE id = '${open}'`;
    expect(await found(invented)).toMatchObject({ verdict: "CONTENT_MISMATCH", seq: 4n });
    const before = invented.replace("started_seq, updated_seq, ended FROM", "0, -1, ended FROM");
    expect(await found(before)).toMatchObject({ verdict: "CONTENT_MISMATCH", seq: -1n });
  });

  it("finds one that ends in the part that is verified and began before it", async () => {
    const forgotten = `DELETE FROM oc_session WHERE id = '${ended}'`;
    expect(await found(forgotten, { fromSeq: 5n, toSeq: 5n })).toMatchObject({ verdict: "CONTENT_MISMATCH", seq: 5n });
    expect(await found(forgotten, { fromSeq: 3n, toSeq: 4n })).toMatchObject({ verdict: "INTACT" });
  });
});
