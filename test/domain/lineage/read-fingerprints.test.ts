import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFingerprinter } from "../../../src/domain/lineage/fingerprints/digest.ts";
import { digestOfSet, readSetOf, unpacked } from "../../../src/domain/lineage/fingerprints/read-set.ts";
import { deleteOldFingerprints } from "../../../src/domain/lineage/sources/recorder.ts";
import type { JsonValue } from "../../../src/facts/canonical.ts";
import { ledgerOf } from "../../../src/facts/entry.ts";
import { agent, calling, createWorld, human, type Process, type World } from "../support.ts";

let world: World;
let server: Process;
beforeAll(async () => {
  world = await createWorld();
  server = await world.process();
});
afterAll(async () => {
  await world?.close();
});

const contact = { name: "Amelia Ahmed", email: "amelia@example.com", phone: "+49 30 901820", note: "prefers mail" };

/** A read on the sample platform, carried out and completed with `result`. */
async function read(result: JsonValue | undefined, outcome: "SUCCEEDED" | "FAILED" = "SUCCEEDED", by = agent) {
  const caller = calling(by);
  const input = {
    idempotencyKey: randomUUID(),
    platform: "crm",
    tool: "get_user_details",
    arguments: { user_id: "a" },
  };
  const { action, grant } = await server.actions.propose(caller, input);
  const { digest } = action.proposal.body;
  await server.actions.redeemGrant(caller, { token: grant!.token, digest: String(digest) });
  const { entry } = await server.actions.complete(caller, { actionId: action.state.id, outcome, result });
  return { id: action.state.id, ledger: action.state.ledger, said: entry.body.fingerprints };
}

const rows = async (id: string) => {
  const text = "SELECT salt, source, fingerprints FROM oc_work.read_fingerprints WHERE action = $1";
  const { rows: found } = await server.pool.query<{ salt: Buffer; source: string; fingerprints: Buffer }>(text, [id]);
  return found.map((row) => ({ ...row, source: Number(row.source) }));
};

describe("the completion of a read", () => {
  it("commits to fingerprints that are stored, made with the key of the ledger", async () => {
    const { id, ledger, said } = await read(contact);
    const [row] = await rows(id);
    const bytes = new Uint8Array(row!.fingerprints);
    expect(said).toEqual({ digest: digestOfSet(row!) });
    const key = world.keys.secret(`fingerprints/${ledger}`);
    const size = Buffer.byteLength(JSON.stringify(contact));
    expect([...bytes]).toEqual([...readSetOf(contact, size, createFingerprinter(key)).bytes]);
    expect(bytes.length).toBeGreaterThan(4 * 6);
    expect(bytes.length).toBeLessThanOrEqual(size);
  });

  it("says how many values were left out, and is as long as its payload allows", async () => {
    const many = Array.from({ length: 120_000 }, (_, at) => at % 2);
    many.push(...Array.from({ length: 200 }, (_, at) => 7_919_000 + at));
    const { id, said } = await read(many);
    const [row] = await rows(id);
    // In a power of two: an exact number tells one result from another.
    expect(said).toMatchObject({ omitted: 32_768 });
    expect(row!.fingerprints.length).toBeLessThanOrEqual(JSON.stringify(many).length);
  });

  it("has none where nothing was read", async () => {
    const untold = await read(undefined);
    expect(untold.said).toBeUndefined();
    expect(await rows(untold.id)).toEqual([]);
    // One that failed may have returned something as well.
    const failed = await read(contact, "FAILED");
    expect((await rows(failed.id))[0]?.fingerprints.length).toBeGreaterThan(0);
    const { id, said } = await read(true);
    const [row] = await rows(id);
    expect(row!.fingerprints).toHaveLength(0);
    expect(said).toEqual({ digest: digestOfSet(row!) });
  });

  it("counts what was asked for as one source, however often it is read", async () => {
    const [one, again] = [await read(contact), await read(contact)];
    expect((await rows(one.id))[0]!.source).toBe((await rows(again.id))[0]!.source);
  });

  it("has other fingerprints in another organization", async () => {
    const other = human("mia", { organization: "globex", roles: ["member"] });
    const [own, foreign] = [await read(contact), await read(contact, "SUCCEEDED", other)];
    expect(foreign.ledger).toBe(ledgerOf("globex", "eu"));
    const of = async (id: string) => [...unpacked(new Uint8Array((await rows(id))[0]!.fingerprints))];
    const known = new Set(await of(own.id));
    expect((await of(foreign.id)).filter((one) => known.has(one))).toEqual([]);
  });

  it("loses its fingerprints once nothing can be drawn from it any more, and not before", async () => {
    const { id } = await read(contact);
    expect(await deleteOldFingerprints(server.pool, 3_600, 100)).toBe(false);
    expect(await rows(id)).toHaveLength(1);
    const older = "UPDATE oc_work.read_fingerprints SET made_at = made_at - interval '1 day 2 hours' WHERE action = $1";
    await server.pool.query(older, [id]);
    await deleteOldFingerprints(server.pool, 3_600, 100);
    expect(await rows(id)).toEqual([]);
  });
});
