import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonValue } from "../../../src/facts/canonical.ts";
import { factOfType } from "../../../src/facts/decode.ts";
import { verifyLedger } from "../../support/ledgers.ts";
import { agent, calling, createWorld, human, LEDGER, type Process, read, type World, write } from "../support.ts";

let world: World;
let one: Process;
let two: Process;
beforeAll(async () => {
  world = await createWorld();
  one = await world.process();
  two = await world.process();
});
afterAll(async () => {
  await world?.close();
});

/** An agent of its own, so that nobody else's reads count. */
function someAgent() {
  return calling({ ...agent, id: `agent-${randomUUID()}`, onBehalfOf: human(`mia-${randomUUID()}`) });
}
type Caller = ReturnType<typeof someAgent>;

/** A read that returned `result`. */
async function complete(by: Caller, result: JsonValue, more: Parameters<typeof read>[0] = {}, at = one) {
  const { action, grant } = await at.actions.propose(by, read({ arguments: { user_id: randomUUID() }, ...more }));
  const digest = String(action.proposal.body.digest);
  await at.actions.redeemGrant(by, { token: grant!.token, digest });
  await at.actions.complete(by, { actionId: action.state.id, outcome: "SUCCEEDED", result });
  const { seq, hash, body } = action.proposal;
  return { id: action.state.id, seq: String(seq), hash, chain: String(body.chain) };
}

async function propose(by: Caller, given: JsonValue, more: Parameters<typeof write>[0] = {}, at = one) {
  const { entry } = await at.actions.propose(by, write({ arguments: given, ...more }));
  const { lineage, evidence, sourceChain, rendered } = factOfType(entry, "ACTION_PROPOSED");
  return { lineage, evidence, sourceChain, rendered };
}

interface Evidence {
  readonly observed: readonly { readonly shared: readonly object[] }[];
  readonly arguments: readonly object[];
}

const amelia = { name: "Amelia Ahmed", email: "amelia@example.com", phone: "+49 30 901820", since: "2021-03-04" };
const bo = { name: "Bo Ng", email: "bo.ng@example.com", phone: "+49 30 555777", since: "2022-05-06" };

describe("a write", () => {
  it("is observed to have values of a read on another platform, which is its source though another read is later", async () => {
    const by = someAgent();
    const first = await complete(by, amelia, { conversationId: "a" });
    const later = await complete(by, bo, { conversationId: "a", platform: "flights", tool: "list_all_airports" });
    const given = { to: "AMELIA@example.com", text: "Call Amelia Ahmed, 030/901820" };
    const { lineage, evidence, sourceChain, rendered } = await propose(by, given, { conversationId: "a" });
    const place = {
      platform: "crm",
      region: "eu",
      ledger: LEDGER,
      chain: first.chain,
      seq: first.seq,
      hash: first.hash,
    };
    expect(lineage?.observed).toEqual([{ ...place, values: 3, whole: 1, exact: 0, strength: expect.any(Number) }]);
    expect(lineage?.possible).toMatchObject([
      { chain: later.chain, reads: 1 },
      { chain: first.chain, reads: 1 },
    ]);
    expect(sourceChain).toBe(first.chain);
    expect(rendered).toContain(`chain ${first.chain}`);
    expect(evidence).toMatchObject({ observed: [{ seq: first.seq, more: 0 }], more: 0 });
    const { observed, arguments: named } = evidence as unknown as Evidence;
    const shared = observed[0]?.shared;
    expect(shared).toContainEqual(expect.objectContaining({ path: "/to", leaf: 1, match: "NORMALISED" }));
    expect(shared).toContainEqual(expect.objectContaining({ path: "/text", leaf: 2, match: "PARTIAL" }));
    expect(shared).toContainEqual(expect.objectContaining({ path: "/text", leaf: 3, match: "PARTIAL" }));
    expect(named).toContainEqual(expect.objectContaining({ path: "/to", platforms: ["crm"], leaf: 1 }));
    expect(lineage?.origins).toEqual([{ platforms: ["crm"], values: 3 }]);
    const copied = await propose(by, { row: [amelia.email, amelia.since] }, { conversationId: "a" });
    expect(copied.lineage?.observed).toMatchObject([{ values: 2, whole: 2, exact: 2 }]);
    // What they share is in neither the entry nor the evidence.
    for (const told of [JSON.stringify(lineage), JSON.stringify(evidence)]) expect(told).not.toMatch(/amelia/i);
  });

  it("is linked by order in time alone where it shares nothing, and to nothing without a read", async () => {
    const by = someAgent();
    expect((await propose(by, { note: "x" })).lineage).toEqual({ observed: [], possible: [], origins: [] });
    const { chain } = await complete(by, amelia);
    const { lineage, evidence, sourceChain } = await propose(by, { note: "They want a later flight." });
    expect(lineage).toMatchObject({ observed: [], possible: [{ chain, reads: 1 }] });
    expect(evidence).toMatchObject({ observed: [], arguments: [{ path: "/note" }] });
    expect(lineage?.origins).toEqual([{ platforms: [], values: 1 }]);
    expect(sourceChain).toBe(chain);
    // Whoever reads and writes on one platform moves nothing.
    const other = someAgent();
    await complete(other, amelia, { platform: "reservations", tool: "get_reservation_details" });
    expect((await propose(other, amelia)).lineage).toEqual({
      observed: [],
      possible: [],
      origins: [{ platforms: ["reservations"], values: 4 }],
    });
  });

  it("is not linked to what another principal read, nor to what was read for another person", async () => {
    const by = someAgent();
    await complete(by, amelia);
    const forAnother = calling({ ...by.principal, onBehalfOf: human(`bo-${randomUUID()}`) });
    for (const other of [someAgent(), forAnother]) {
      const { lineage } = await propose(other, amelia);
      expect(lineage).toEqual({ observed: [], possible: [], origins: [{ platforms: [], values: 4 }] });
    }
  });

  it("says that the person gave what it has of a read, which is not its source then", async () => {
    const by = someAgent();
    const { chain } = await complete(by, amelia, { conversationId: "a" });
    const later = await complete(by, bo, { conversationId: "a", platform: "flights", tool: "list_all_airports" });
    const userRequest = "Please write to amelia@example.com";
    const more = { userRequest, conversationId: "a" };
    const { lineage, evidence, sourceChain } = await propose(by, { to: amelia.email }, more);
    expect(lineage).toMatchObject({
      observed: [{ chain, values: 1, said: 1 }],
      possible: [{ reads: 1 }, { reads: 1 }],
    });
    expect(lineage?.origins).toEqual([{ platforms: ["crm"], said: true, values: 1 }]);
    expect(evidence).toMatchObject({ arguments: [{ path: "/to", said: true, platforms: ["crm"] }] });
    expect(sourceChain).toBe(later.chain);
  });

  it("is linked on another server, on one that starts afterwards, and in a batch", async () => {
    const by = someAgent();
    const { chain } = await complete(by, amelia);
    await propose(by, { note: "looked before" }, {}, two);
    const again = await complete(by, bo, { conversationId: "b" });
    for (const other of [two, await world.process()]) {
      expect((await propose(by, { to: amelia.email }, {}, other)).sourceChain).toBe(chain);
    }
    const input = write({ arguments: { to: bo.email } });
    const [outcome] = await two.actions.proposeTogether(by, [input]);
    expect(outcome).toMatchObject({ entry: { body: { sourceChain: again.chain } } });
  });

  it.each([
    ["missing", "DELETE FROM oc_work.read_fingerprints WHERE action = $1"],
    ["others", "UPDATE oc_work.read_fingerprints SET fingerprints = '\\x000000000001' WHERE action = $1"],
  ])(
    "may have anything of a read whose stored fingerprints are %s than its completion committed to",
    async (_, change) => {
      const by = someAgent();
      const { id, chain } = await complete(by, amelia);
      const known = await complete(by, bo, { conversationId: "c" });
      await one.pool.query(change, [id]);
      const { lineage } = await propose(by, { to: amelia.email });
      expect(lineage?.observed).toEqual([]);
      expect(lineage?.possible.find((edge) => edge.chain === chain)).toMatchObject({ unknown: true });
      expect(lineage?.possible.find((edge) => edge.chain === known.chain)).not.toHaveProperty("unknown");
    },
  );

  it.each([
    ["the source", "source = source + 1"],
    ["the salt", "salt = sha256(salt)"],
  ])("may have anything of a read of which %s was altered in the database", async (_, change) => {
    const by = someAgent();
    const { id } = await complete(by, amelia);
    await one.pool.query(`UPDATE oc_work.read_fingerprints SET ${change} WHERE action = $1`, [id]);
    expect((await propose(by, { to: amelia.email })).lineage).toMatchObject({
      observed: [],
      possible: [{ unknown: true }],
    });
  });

  it("may have anything of a read of which nobody said what it returned, and nothing of one that returned nothing", async () => {
    const empty = someAgent();
    await complete(empty, []);
    const { lineage } = await propose(empty, { to: amelia.email });
    expect(lineage?.possible).toHaveLength(1);
    expect(lineage?.possible[0]).not.toHaveProperty("unknown");
    const failed = someAgent();
    const { action: tried, grant: used } = await one.actions.propose(failed, read());
    await one.actions.redeemGrant(failed, { token: used!.token, digest: String(tried.proposal.body.digest) });
    await one.actions.complete(failed, { actionId: tried.state.id, outcome: "FAILED", error: "no such page" });
    expect((await propose(failed, { to: amelia.email })).lineage?.possible[0]).not.toHaveProperty("unknown");
    for (const outcome of ["SUCCEEDED", undefined] as const) {
      const by = someAgent();
      const { action, grant } = await one.actions.propose(by, read());
      await one.actions.redeemGrant(by, { token: grant!.token, digest: String(action.proposal.body.digest) });
      if (outcome !== undefined) await one.actions.complete(by, { actionId: action.state.id, outcome });
      expect((await propose(by, { to: amelia.email })).lineage).toMatchObject({ possible: [{ unknown: true }] });
    }
  });

  it("may have any value of a read that has more values than were looked at", async () => {
    const by = someAgent();
    await complete(
      by,
      Array.from({ length: 110_000 }, () => 1),
    );
    expect((await propose(by, { to: amelia.email })).lineage).toMatchObject({ possible: [{ unknown: true }] });
  });

  it("is compared with what was recorded where two report the same read at the same moment", async () => {
    for (let again = 0; again < 5; again += 1) {
      const by = someAgent();
      const { action, grant } = await one.actions.propose(by, read());
      await one.actions.redeemGrant(by, { token: grant!.token, digest: String(action.proposal.body.digest) });
      const report = (at: Process, result: JsonValue) =>
        at.actions.complete(by, { actionId: action.state.id, outcome: "SUCCEEDED", result });
      const reports = await Promise.allSettled([report(one, amelia), report(two, bo)]);
      const told = [amelia, bo].filter((_, at) => reports[at]!.status === "fulfilled");
      expect(told).toHaveLength(1);
      const { lineage } = await propose(by, { to: told[0]!.email });
      expect(lineage?.observed).toHaveLength(1);
      expect(lineage?.possible[0]).not.toHaveProperty("unknown");
    }
  });

  it("is linked less and less by a value that more and more reads have", async () => {
    const common = "Economy Class Comfort";
    const all = Array.from({ length: 8 }, someAgent);
    const [by] = all as [Caller];
    await complete(by, [common, "x1"]);
    expect((await propose(by, { cabin: common })).lineage?.observed).toHaveLength(1);
    const ids: string[] = [];
    for (let at = 0; at < 40; at += 1) {
      ids.push((await complete(all[at % all.length]!, [common, `x${at}`, `${at} Wide Street`])).id);
    }
    // A server that starts learns from what others recorded, and two writes at once wait for the same.
    const third = await world.process();
    const writes = await Promise.all([1, 2].map(() => propose(by, { cabin: common }, {}, third)));
    for (const { lineage } of writes) expect(lineage?.observed).toEqual([]);
    // Rows that are not what the entries committed to say nothing of what is common.
    await one.pool.query("UPDATE oc_work.read_fingerprints SET source = source + 1 WHERE action = ANY ($1::uuid[])", [
      ids,
    ]);
    const fourth = await world.process();
    const fresh = someAgent();
    await complete(fresh, [common, "x1"]);
    expect((await propose(fresh, { cabin: common }, {}, fourth)).lineage?.observed).toHaveLength(1);
  }, 120_000);

  it("leaves a ledger that is intact", async () => {
    expect(await verifyLedger(one.pool, LEDGER)).toMatchObject({ verdict: "INTACT", problems: [] });
  });
});
