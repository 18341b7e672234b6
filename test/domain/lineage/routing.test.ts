import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ProposeInput } from "../../../src/domain/actions/actions.ts";
import { termsOf } from "../../../src/domain/actions/terms.ts";
import { withClient } from "../../support/postgres.ts";
import { agent, approver, auditor, calling, createWorld, type Process, read, type World, write } from "../support.ts";

let world: World;
let process: Process;

beforeAll(async () => {
  world = await createWorld();
  process = await world.process();
});
afterAll(() => world.close());

const flights = { platform: "flights", tool: "search_direct_flight" };

/** Steps of one fresh conversation, each by the process given or by the first. */
function conversation(id: string = randomUUID()) {
  return async (input: Partial<ProposeInput>, by: Process = process, caller = calling(agent)) => {
    const { entry } = await by.actions.propose(caller, read({ conversationId: id, repeat: true, ...input }));
    const { chain, sourceChain } = entry.body;
    return { chain, number: await numberOf(chain), source: sourceChain };
  };
}

/** Which chain of its conversation it is, from 1. */
async function numberOf(chain: unknown): Promise<number | undefined> {
  const { rows } = await withClient(world.database.appUrl, (client) =>
    client.query<{ number: number }>(
      "SELECT (state ->> 'number')::integer AS number FROM oc_state WHERE kind = 'CHAIN' AND id = $1",
      [chain],
    ),
  );
  return rows[0]?.number;
}
const vouchers = { platform: "vouchers", tool: "send_certificate" };
const reservations = { platform: "reservations", tool: "cancel_reservation" };

/** Counts the statements other than appends that the process sends during `work`. */
async function readsOf(by: Process, work: () => Promise<unknown>): Promise<number> {
  const before = queries(by);
  await work();
  return queries(by) - before;
}
const counted = new WeakMap<Process, { reads: number }>();
function queries(by: Process): number {
  const found = counted.get(by);
  if (found !== undefined) return found.reads;
  const counter = { reads: 0 };
  counted.set(by, counter);
  by.pool.on("acquire", (client) => {
    const query = client.query.bind(client) as (...all: unknown[]) => unknown;
    Object.assign(client, {
      query(...all: unknown[]) {
        const name = (all[0] as { name?: string } | undefined)?.name;
        // The session of a step is looked up each time, followers are notified after it, and heads are checked every second, by
        // statements without a name: none of it is part of routing.
        const others = ["oc_ledger_append", "oc_announce", "oc_attribute"];
        if (name !== undefined && !others.includes(name)) counter.reads += 1;
        return query(...all);
      },
    });
  });
  by.pool.on("release", (_, client) => {
    Reflect.deleteProperty(client, "query");
  });
  return 0;
}

describe("the routing chain", () => {
  it("is shared by consecutive steps on one platform, and a new one starts on another", async () => {
    const step = conversation();
    const one = await step({});
    expect(one.number).toBe(1);
    expect(await step({})).toEqual(one);
    const two = await step(flights);
    expect(two.number).toBe(2);
    const three = await step({});
    expect(three.number).toBe(3);
    expect(new Set([one.chain, two.chain, three.chain]).size).toBe(3);
  });

  it("is one of the conversation and of the principal", async () => {
    const id = randomUUID();
    const one = await conversation(id)({});
    expect((await conversation()({})).chain).not.toBe(one.chain);
    const other = await conversation(id)({}, process, calling({ ...agent, id: "agent-2" }));
    expect(other.chain).not.toBe(one.chain);
    const human = await conversation(id)({}, process, calling(approver));
    expect(human.chain).not.toBe(one.chain);
  });

  it("is another for each person that one agent acts for", async () => {
    const id = randomUUID();
    const { onBehalfOf: _, ...alone } = agent;
    const callers = [agent, { ...agent, onBehalfOf: auditor }, alone].map(calling);
    const first = await Promise.all(callers.map((caller) => conversation(id)({}, process, caller)));
    expect(new Set(first.map(({ chain }) => chain)).size).toBe(3);
    expect(first.map(({ number }) => number)).toEqual([1, 1, 1]);
    const other = await world.process();
    for (const [index, caller] of callers.entries()) {
      expect(await conversation(id)({}, other, caller)).toEqual(first[index]);
    }
  });

  it("goes on in another process and after a restart", async () => {
    const other = await world.process();
    const step = conversation();
    const one = await step({});
    expect(await step({}, other)).toEqual(one);
    const two = await step(flights, other);
    // The first process still believes in the first chain; the append tells it otherwise.
    const three = await step({});
    expect([one.number, two.number, three.number]).toEqual([1, 2, 3]);
    expect(await step({}, await world.process())).toEqual(three);
  });

  it("ends after the idle time, by the database's clock", async () => {
    const brief = await world.process({ chainIdle: 1 });
    const step = conversation();
    const one = await step({}, brief);
    await brief.pool.query("SELECT pg_sleep(1.1)");
    const two = await step({}, brief);
    expect(two.number).toBe(2);
    expect(two.chain).not.toBe(one.chain);
  });

  it("ends although others have their say in it meanwhile", async () => {
    const brief = await world.process({ chainIdle: 2, approvalTtl: 3 });
    const id = randomUUID();
    const step = conversation(id);
    const one = await step(reservations, brief);
    const { action } = await brief.actions.propose(calling(agent), write({ conversationId: id }));
    await brief.pool.query("SELECT pg_sleep(1.1)");
    const { id: actionId } = action.state;
    const { digest } = termsOf(action.proposal);
    await brief.actions.approve(calling(approver), { actionId, digest, channel: "API" });
    await brief.pool.query("SELECT pg_sleep(1.1)");
    const two = await step(reservations, await world.process({ chainIdle: 2 }));
    expect([one.number, two.number]).toEqual([1, 2]);
  });

  it("does not end while the principal is busy with what it proposed in it", async () => {
    const brief = await world.process({ chainIdle: 2 });
    const id = randomUUID();
    const step = conversation(id);
    const one = await step({}, brief);
    const { action } = await brief.actions.propose(calling(agent), read({ conversationId: id }));
    await brief.pool.query("SELECT pg_sleep(1.1)");
    await brief.actions.claimGrant(calling(agent), { actionId: action.state.id });
    await brief.pool.query("SELECT pg_sleep(1.1)");
    expect(await step({}, brief)).toEqual(one);
  });

  it("does not end while another process keeps it busy", async () => {
    const [brief, busy] = [await world.process({ chainIdle: 3 }), await world.process({ chainIdle: 3 })];
    const step = conversation();
    const one = await step({}, brief);
    await brief.pool.query("SELECT pg_sleep(1.8)");
    expect(await step({}, busy)).toEqual(one);
    await brief.pool.query("SELECT pg_sleep(1.8)");
    expect(await step({}, brief)).toEqual(one);
  });

  it("is one for proposals that start it together", async () => {
    const step = conversation();
    const steps = await Promise.all(Array.from({ length: 40 }, () => step({})));
    expect(new Set(steps.map(({ chain }) => chain)).size).toBe(1);
  });

  it("numbers chains without gaps when platforms alternate at once, in two processes", async () => {
    const other = await world.process();
    const id = randomUUID();
    const step = conversation(id);
    const steps = await Promise.all(
      Array.from({ length: 40 }, (_, index) => step(index % 2 === 0 ? {} : flights, index % 3 === 0 ? other : process)),
    );
    const { rows } = await process.pool.query<{ number: number; chain: string }>(
      `SELECT (state ->> 'number')::integer AS number, id AS chain FROM oc_state
        WHERE kind = 'CHAIN' AND conversation = $1 ORDER BY 1`,
      [id],
    );
    expect(rows.map(({ number }) => number)).toEqual(rows.map((_, index) => index + 1));
    const recorded = new Map(rows.map(({ number, chain }) => [number, chain]));
    expect(steps.every(({ number, chain }) => recorded.get(Number(number)) === chain)).toBe(true);
  });

  it("costs no read when it is known", async () => {
    const own = await world.process();
    const step = conversation();
    await readsOf(own, async () => undefined);
    await step({}, own);
    expect(await readsOf(own, () => step({}, own))).toBe(0);
    expect(await readsOf(own, () => step(flights, own))).toBe(0);
    await step(reservations, own);
    // A write that people decide looks for what it repeats, and every write for what its caller read since, besides.
    expect(await readsOf(own, () => step(reservations, own))).toBe(3);
    expect(await readsOf(own, () => step(reservations, own))).toBe(2);
    expect(await readsOf(own, () => conversation()({}, own))).toBe(1);
    const fresh = { ...reservations, arguments: { reservation_id: randomUUID() } };
    expect(await readsOf(own, () => conversation()(fresh, own))).toBe(3);
  });
});

describe("the source of a write", () => {
  it("is the latest earlier chain on another platform that holds a read", async () => {
    const step = conversation();
    await step({});
    const searched = await step(flights);
    const first = await step(reservations);
    expect(first.source).toBe(searched.chain);
    expect((await step(reservations)).source).toBe(searched.chain);
    // A chain without a read is no source: the voucher's data came from flights as well.
    expect((await step(vouchers)).source).toBe(searched.chain);
  });

  it("is never its own platform's", async () => {
    const step = conversation();
    const crm = await step({});
    await step({ platform: "reservations", tool: "get_reservation_details" });
    expect((await step(reservations)).source).toBe(crm.chain);
  });

  it("is nothing for a read, nor for a first step, nor across conversations", async () => {
    const step = conversation();
    expect((await step(reservations)).source).toBeUndefined();
    await step({});
    expect((await step(flights)).source).toBeUndefined();
    expect((await conversation()(reservations)).source).toBeUndefined();
  });

  it("is nothing that the same agent read for another person", async () => {
    const id = randomUUID();
    const step = conversation(id);
    const others = calling({ ...agent, onBehalfOf: auditor });
    const own = await step({});
    const foreign = await step(flights, process, others);
    for (const by of [process, await world.process()]) {
      expect((await step(reservations, by)).source).toBe(own.chain);
      expect((await step(reservations, by, others)).source).toBe(foreign.chain);
    }
    const { onBehalfOf: _, ...alone } = agent;
    expect((await step(reservations, process, calling(alone))).source).toBeUndefined();
  });

  it("is found by a process that saw nothing of it", async () => {
    const id = randomUUID();
    const crm = await conversation(id)({});
    const other = await world.process();
    expect((await conversation(id)(reservations, other)).source).toBe(crm.chain);
  });

  it("is found when the read came through another process after ours began the chain", async () => {
    const other = await world.process();
    const step = conversation();
    await step(vouchers);
    const crm = await step(vouchers, other).then(() => step({}, other));
    expect((await step(vouchers)).source).toBe(crm.chain);
  });

  it("lies within the session window", async () => {
    const brief = await world.process({ sessionWindow: 3 });
    const step = conversation();
    const crm = await step({}, brief);
    expect((await step(reservations, brief)).source).toBe(crm.chain);
    expect((await step(reservations, brief)).source).toBe(crm.chain);
    await brief.pool.query("SELECT pg_sleep(3.1)");
    expect((await step(reservations, brief)).source).toBeUndefined();
  });

  it("is shown to the approver, and bound by the digest", async () => {
    const id = randomUUID();
    const crm = await conversation(id)({});
    const { entry } = await process.actions.propose(calling(agent), write({ conversationId: id }));
    expect(entry.payload?.rendered?.value).toContain(`Data may come from: "crm", chain ${String(crm.chain)}`);
  });
});
