import { createHash } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFingerprinter } from "../../../src/domain/lineage/fingerprints/digest.ts";
import { digestOfSet, readSetOf, unpacked } from "../../../src/domain/lineage/fingerprints/read-set.ts";
import type { JsonValue } from "../../../src/facts/canonical.ts";
import { factOfType } from "../../../src/facts/decode.ts";
import { agent, calling, createWorld, LEDGER, type Process, read, type World, write } from "../support.ts";

let world: World;
let server: Process;
let owner: pg.Client;
beforeAll(async () => {
  world = await createWorld();
  owner = new pg.Client(world.database.superuserUrl);
  await owner.connect();
  server = await world.process();
});
afterAll(async () => {
  await owner?.end();
  await world?.close();
});

const SECRET = "quagga-774193@secrets.example";
const RESULT: JsonValue = { rows: [{ owner: "Xanthippe Quagga", email: SECRET, city: "Rome" }] };

async function readIt(result: JsonValue) {
  const caller = calling(agent);
  const { action, grant } = await server.actions.propose(
    caller,
    read({ arguments: { asked: "zebra-5520@a.example" } }),
  );
  await server.actions.redeemGrant(caller, { token: grant!.token, digest: String(action.proposal.body.digest) });
  const { entry } = await server.actions.complete(caller, { actionId: action.state.id, outcome: "SUCCEEDED", result });
  return { id: action.state.id, proposal: action.proposal, entry };
}

/** Every row of every table, as text, with the bytes that it holds in hex. */
async function everything(): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await owner.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`,
  );
  const all = new Map<string, readonly string[]>();
  for (const { name } of rows) {
    const { rows: held } = await owner.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
    all.set(
      name,
      held.map(({ row }) => row),
    );
  }
  return all;
}

const ways = (text: string) => [
  text,
  Buffer.from(text).toString("hex"),
  Buffer.from(text).toString("base64").slice(0, -4),
];

/** Whether somebody who has the keys and all of `dump` can tell that `guess` was read by the action of `ledger` or what it was asked. */
function confirms(dump: ReadonlyMap<string, readonly string[]>, guess: JsonValue, asked: string): readonly string[] {
  const fingerprinter = createFingerprinter(world.keys.secret(`fingerprints/${LEDGER}`));
  const text = JSON.stringify(guess);
  const set = readSetOf(guess, Buffer.byteLength(text), fingerprinter).bytes;
  const source = fingerprinter(`source:${asked}`);
  const rows = [...dump.values()].flat();
  const found: string[] = [];
  const hex = (one: number) => one.toString(16).padStart(12, "0");
  const marks = [...unpacked(set)].map(hex);
  if (rows.some((row) => marks.some((mark) => row.includes(mark)))) found.push("fingerprints");
  if (rows.some((row) => row.includes(String(source)) || row.includes(hex(source)))) found.push("what was asked for");
  const whole = rows.join("\n");
  const salts = new Set(whole.match(/(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])/g)).add("");
  for (const salt of salts) {
    const digests = [
      digestOfSet({ salt: Buffer.from(salt, "hex"), source, fingerprints: set }),
      createHash("sha256").update(Buffer.from(salt, "hex")).update(set).digest("hex"),
    ];
    if (digests.some((digest) => whole.includes(digest))) found.push("digest");
  }
  return found;
}

describe("what was read", () => {
  it("is in the payload that carried it alone, and once that is erased nobody can confirm a guess", async () => {
    const { proposal, entry } = await readIt(RESULT);
    await server.actions.propose(calling(agent), write({ arguments: { note: "Ms Quagga's city is Rome" } }));
    const asked = JSON.stringify(["crm", "get_user_details", '{"asked":"zebra-5520@a.example"}']);
    const before = await everything();
    for (const way of ways(SECRET)) {
      const holders = [...before].filter(([, rows]) => rows.some((row) => row.includes(way))).map(([name]) => name);
      for (const name of holders) expect(name).toMatch(/^oc_audit_payload/);
    }
    const carried = [...before.values()].flat().filter((row) => row.includes(SECRET));
    expect(carried).toHaveLength(1);
    // With the keys, and before it is erased, a guess can be confirmed.
    expect(confirms(before, RESULT, asked)).toEqual(["fingerprints", "what was asked for", "digest"]);

    await owner.query("DELETE FROM oc_audit_payload WHERE ledger = $1 AND seq = $2", [LEDGER, entry.seq]);
    const after = await everything();
    expect([...after.values()].flat().filter((row) => ways(SECRET).some((way) => row.includes(way)))).toEqual([]);
    expect(confirms(after, RESULT, asked)).toEqual([]);
    expect(proposal.seq).toBeLessThan(entry.seq);
  });

  it.each([
    [
      "what was asked for is erased",
      (seqs: readonly bigint[]) => [`DELETE FROM oc_audit_payload WHERE ledger = '${LEDGER}' AND seq = ${seqs[0]}`],
    ],
    [
      "a value is taken out of the payload",
      (seqs: readonly bigint[]) => [
        `UPDATE oc_audit_payload SET payload = '{}' WHERE ledger = '${LEDGER}' AND seq = ${seqs[1]}`,
      ],
    ],
    ["all payloads are erased", () => ["TRUNCATE oc_audit_payload"]],
  ])("leaves no fingerprints when %s, in that transaction, and those of others stay", async (name, statements) => {
    const [own, other] = [await readIt(RESULT), await readIt(RESULT)];
    const held = async () => {
      const ids = [own.id, other.id];
      const text = "SELECT action FROM oc_work.read_fingerprints WHERE action = ANY ($1::uuid[])";
      const { rows } = await owner.query<{ action: string }>(text, [ids]);
      return ids.map((id) => rows.some(({ action }) => action === id));
    };
    expect(await held()).toEqual([true, true]);
    for (const statement of statements([own.proposal.seq, own.entry.seq])) {
      await owner.query(`BEGIN; ${statement}; ROLLBACK`);
      expect(await held()).toEqual([true, true]);
      await owner.query(statement);
    }
    expect(await held()).toEqual([false, name !== "all payloads are erased"]);
  });

  it("confirms no guess on a server that compared it before", async () => {
    const email = "okapi-88213@secrets.example";
    const { entry } = await readIt({ email });
    const guess = async () => {
      const { action } = await server.actions.propose(calling(agent), write({ arguments: { email } }));
      return factOfType(action.proposal, "ACTION_PROPOSED").lineage;
    };
    const seq = String(entry.seq);
    expect((await guess())?.origins).toEqual([{ platforms: ["crm"], values: 1 }]);
    await owner.query("DELETE FROM oc_audit_payload WHERE ledger = $1 AND seq = $2", [LEDGER, seq]);
    const after = await guess();
    expect(after?.origins).toEqual([{ platforms: [], values: 1 }]);
    expect(after?.observed).toEqual([]);
    expect(after?.unknown).toEqual(["crm"]);
  });
});
