import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { ProposeInput, ProposeResult } from "../../../src/domain/actions/actions.ts";
import { ActionRefusal } from "../../../src/domain/actions/errors.ts";
import type { Principal } from "../../../src/domain/identity/principal.ts";
import { factOfType } from "../../../src/facts/decode.ts";
import { manipulate } from "../../ledger/manipulate-states.ts";
import { withClient } from "../../support/postgres.ts";
import {
  agent,
  approver,
  calling,
  createWorld,
  human,
  type Process,
  policyOf,
  refusalOf,
  type World,
  write,
} from "../support.ts";

const POLICY = `
measures:
  - { name: amount, path: amount }
rules:
  - { id: all, when: 'tool.effect == "WRITE"', permit: true, reason: r }
  - { id: three, when: 'tool.name == "cancel_reservation" && count("1h") > 3', require: [{ group: approvers, needed: 1 }], reason: r }
  - { id: budget, when: 'tool.name == "send_certificate" && sum("24h", "amount", "person") > 1000.0', forbid: true, reason: r }
  - { id: ask, when: 'tool.name == "book_reservation"', require: [{ group: approvers, needed: 1 }], reason: r }
  - { id: few, when: 'tool.name == "book_reservation" && count("1h", "agent", "tool") > 2', forbid: true, reason: r }
  - id: crowd
    when: 'tool.name == "update_reservation_flights" && count("31d", "organization", "tool") > 5'
    forbid: true
    reason: r
`;

let world: World;
let one: Process;
let two: Process;

beforeAll(async () => {
  world = await createWorld();
  const policy = await policyOf(POLICY);
  one = await world.process({}, policy);
  two = await world.process({}, policy);
});
afterAll(() => world.close());

let made = 0;
/** An agent of a person, both of an organization of their own. */
function somebody(): { readonly bot: Principal; readonly boss: Principal } {
  made += 1;
  const organization = `org${made}`;
  const boss = { ...human(`boss${made}`), organization };
  return { bot: { ...agent, organization, id: `bot${made}`, onBehalfOf: boss }, boss };
}

const cancel = (): ProposeInput => write({ arguments: { reservation_id: randomUUID() } });
const voucher = (amount: unknown): ProposeInput =>
  write({ platform: "vouchers", tool: "send_certificate", arguments: { amount } as never });
const book = (): ProposeInput => write({ tool: "book_reservation", arguments: { n: randomUUID() } });
const update = (): ProposeInput => write({ tool: "update_reservation_flights", arguments: { n: randomUUID() } });

const statusOf = async (by: Principal, input: ProposeInput, process = one) =>
  (await process.actions.propose(calling(by), input)).action.state.status;
const counted = (statuses: readonly string[]) =>
  Object.fromEntries([...Map.groupBy(statuses, (status) => status)].map(([status, all]) => [status, all.length]));
const outcomeOf = (outcome: ActionRefusal | ProposeResult): string =>
  outcome instanceof ActionRefusal ? outcome.code : outcome.action.state.status;

describe("a window over proposals", () => {
  it("counts those of an agent, and records what it came to", async () => {
    const { bot } = somebody();
    for (let n = 0; n < 3; n += 1) expect(await statusOf(bot, cancel())).toBe("ALLOWED");
    const { entry, action } = await two.actions.propose(calling(bot), cancel());
    expect(action.state.status).toBe("PENDING");
    expect(factOfType(entry, "ACTION_PROPOSED")).toMatchObject({
      measures: {},
      windows: { 'count("1h")': "3" },
      policy: { rules: [{ ruleId: "three", because: { 'count("1h")': 4, "tool.name": "cancel_reservation" } }, {}] },
    });
    // Another agent of the same organization has not done anything.
    expect(await statusOf({ ...bot, id: "other" }, cancel())).toBe("ALLOWED");
  });

  it("adds up exactly what was measured, for a person through whatever agent, without what was forbidden", async () => {
    const { bot, boss } = somebody();
    expect(await statusOf(bot, voucher("500.00"))).toBe("ALLOWED");
    expect(await statusOf({ ...bot, id: "second" }, voucher(400))).toBe("ALLOWED");
    const refused = await one.actions.propose(calling(boss), voucher("100.01"));
    expect(refused.action.state.status).toBe("BLOCKED");
    const fact = factOfType(refused.entry, "ACTION_PROPOSED");
    expect(fact.measures).toBeUndefined();
    expect(fact.policy.rules[0]?.because).toMatchObject({ 'sum("24h", "amount", "person")': "1000.01" });
    expect(await statusOf(boss, voucher(100))).toBe("ALLOWED");
    expect(await statusOf(bot, voucher("0.000000000000000001"))).toBe("ALLOWED");
    expect(await statusOf(bot, voucher("0.01"))).toBe("BLOCKED");
    // Another person.
    expect(
      await statusOf({ ...bot, onBehalfOf: human("somebody", { organization: bot.organization }) }, voucher(1000)),
    ).toBe("ALLOWED");
  });

  it.each([["abc"], [-1000], [{ of: 1 }], ["NaN"], ["9".repeat(40)], [null]])(
    "counts in its strictest reading where %j is to be added up",
    async (amount) => {
      const { bot } = somebody();
      const { entry, action } = await one.actions.propose(calling(bot), voucher(amount));
      expect(action.state.status).toBe("BLOCKED");
      expect(factOfType(entry, "ACTION_PROPOSED").policy.rules[0]).toMatchObject({ ruleId: "budget", failed: true });
    },
  );

  it("no longer counts what was denied, cancelled or taken back, and counts what was approved", async () => {
    const { bot, boss } = somebody();
    const decider = calling({ ...approver, organization: boss.organization });
    const ask = () => one.actions.propose(calling(bot), book());
    const [first, second] = [await ask(), await ask()];
    const decision = ({ action, entry }: typeof first) => {
      const { digest } = factOfType(entry, "ACTION_PROPOSED");
      return { actionId: action.state.id, digest, note: "n", channel: "API" } as const;
    };
    expect(await statusOf(bot, book())).toBe("BLOCKED");
    await two.actions.deny(decider, decision(first));
    const third = await ask();
    expect(third.action.state.status).toBe("PENDING");
    expect(await statusOf(bot, book())).toBe("BLOCKED");
    await two.actions.approve(decider, decision(second));
    expect(await statusOf(bot, book())).toBe("BLOCKED");
    await two.actions.revokeApproval(decider, { actionId: second.action.state.id, note: "n" });
    const fourth = await ask();
    expect(fourth.action.state.status).toBe("PENDING");
    await one.actions.cancel(calling(bot), { actionId: third.action.state.id });
    expect(await statusOf(bot, book())).toBe("PENDING");
    expect(await statusOf(bot, book())).toBe("BLOCKED");
  });

  it("lets exactly three of twenty pass that two servers get at once", async () => {
    const { bot } = somebody();
    const statuses = await Promise.all(
      Array.from({ length: 20 }, (_, n) => statusOf(bot, cancel(), n % 2 === 0 ? one : two)),
    );
    expect(counted(statuses)).toEqual({ ALLOWED: 3, PENDING: 17 });
    const sums = await Promise.all(
      Array.from({ length: 20 }, (_, n) => statusOf(bot, voucher(300), n % 2 === 0 ? one : two)),
    );
    expect(counted(sums)).toEqual({ ALLOWED: 3, BLOCKED: 17 });
  });

  it("sees those before it that are proposed together", async () => {
    const { bot } = somebody();
    const inputs = Array.from({ length: 30 }, (_, n) =>
      n % 3 === 0 ? voucher(300) : n % 3 === 1 ? cancel() : update(),
    );
    const outcomes = await two.actions.proposeTogether(calling(bot), inputs);
    const statuses = outcomes.map(outcomeOf);
    // Of the first two cancellations nothing is said yet: the voucher before, they, and the update between are three.
    expect(statuses.slice(0, 6)).toEqual(["ALLOWED", "ALLOWED", "ALLOWED", "ALLOWED", "PENDING", "ALLOWED"]);
    expect(counted(statuses.filter((_, n) => n % 3 === 0))).toEqual({ ALLOWED: 3, BLOCKED: 7 });
    expect(counted(statuses.filter((_, n) => n % 3 === 2))).toEqual({ ALLOWED: 5, BLOCKED: 5 });
    // In one transaction.
    const moments = outcomes.map((outcome) => (outcome instanceof ActionRefusal ? "" : outcome.entry.recordedAt));
    expect(new Set(moments).size).toBe(1);
  });

  it("reads and measures the arguments of what is proposed together no more often than there are proposals", async () => {
    const policy = await policyOf(POLICY);
    const measured: unknown[] = [];
    const counting = await world.process(
      {},
      {
        ...policy,
        measure(situation) {
          measured.push(situation);
          return policy.measure(situation);
        },
      },
    );
    const { bot } = somebody();
    const inputs = Array.from({ length: 24 }, (_, n) =>
      n % 3 === 0 ? voucher(`0.${n}01`) : n % 3 === 1 ? cancel() : update(),
    );
    const texts = new Map(inputs.map((input) => [JSON.stringify(input.arguments), 0]));
    const parse = vi.spyOn(JSON, "parse");
    try {
      await counting.actions.proposeTogether(calling(bot), inputs);
      for (const [text] of parse.mock.calls) {
        const before = texts.get(text);
        if (before !== undefined) texts.set(text, before + 1);
      }
    } finally {
      parse.mockRestore();
    }
    // For what it may be from, for the queues, for what is said of it, and for the text that people are shown.
    expect(Math.max(...texts.values())).toBeLessThanOrEqual(4);
    expect(measured.length).toBeLessThanOrEqual(inputs.length);
    expect(measured.length).toBeGreaterThan(0);
  });

  it("lets no more pass that come together, from two servers at once", async () => {
    const { bot } = somebody();
    const batches = await Promise.all(
      [one, two, one, two].map((process) =>
        process.actions.proposeTogether(calling(bot), Array.from({ length: 10 }, update)),
      ),
    );
    expect(counted(batches.flat().map(outcomeOf))).toEqual({ ALLOWED: 5, BLOCKED: 35 });
  });
});

describe("an action that was proposed", () => {
  const codeOf = async (work: Promise<unknown>) => (await refusalOf(work)).code;

  it("has the windows that it was proposed with: it counts once, and later ones do not count", async () => {
    const { bot, boss } = somebody();
    const decider = calling({ ...approver, organization: boss.organization });
    const all = [];
    for (let n = 0; n < 4; n += 1) all.push(await one.actions.propose(calling(bot), cancel()));
    for (let n = 0; n < 3; n += 1) await two.actions.propose(calling(bot), cancel());
    const [first, , third, fourth] = all;
    const idOf = (made?: ProposeResult) => made?.action.state.id ?? "";
    await two.actions.claimGrant(calling(bot), { actionId: idOf(first) });
    const { grant } = await two.actions.claimGrant(calling(bot), { actionId: idOf(third) });
    const { digest } = factOfType(fourth!.entry, "ACTION_PROPOSED");
    await two.actions.approve(decider, { actionId: idOf(fourth), digest, channel: "API" });
    await two.actions.claimGrant(calling(bot), { actionId: idOf(fourth) });
    const redeemed = factOfType(third!.entry, "ACTION_PROPOSED").digest;
    expect(
      (await one.actions.redeemGrant(calling(bot), { token: grant.token, digest: redeemed })).action.state.status,
    ).toBe("EXECUTING");
  });

  it("is judged by windows of a later policy as of its proposal", async () => {
    const { bot } = somebody();
    const later = await world.process(
      {},
      await policyOf(`rules:
  - { id: all, when: 'tool.effect == "WRITE"', permit: true, reason: r }
  - { id: two, when: 'count("2h", "person", "tool") > 2', forbid: true, reason: r }
`),
    );
    const all = [];
    for (let n = 0; n < 3; n += 1) all.push(await one.actions.propose(calling(bot), update()));
    const [first, second, third] = all.map(({ action }) => ({ actionId: action.state.id }));
    await later.actions.claimGrant(calling(bot), first!);
    await later.actions.claimGrant(calling(bot), second!);
    expect(await codeOf(later.actions.claimGrant(calling(bot), third!))).toBe("POLICY_CHANGED");
    expect(await statusOf(bot, update(), later)).toBe("BLOCKED");
    // By the policy that it was proposed under, it may still be started.
    await one.actions.claimGrant(calling(bot), third!);
  });
});

describe("what somebody altered in the database", () => {
  it("changes no window: states are not read, and the measures of an entry are those of its text", async () => {
    const { bot } = somebody();
    const { organization } = bot;
    const { entry, action } = await one.actions.propose(calling(bot), voucher(900));
    await manipulate(world.database.superuserUrl, "UPDATE oc_state SET status = 'DENIED' WHERE id = $1", [
      action.state.id,
    ]);
    expect(await statusOf(bot, voucher(200))).toBe("BLOCKED");
    const unguardedUpdate = (change: string) =>
      withClient(world.database.superuserUrl, async (client) => {
        const partition = `oc_audit_log_${entry.recordedAt.slice(0, 7).replace("-", "_")}`;
        await client.query("BEGIN; SET LOCAL countersign.migration = 'on'");
        await client.query(
          `ALTER TABLE ${partition} DISABLE TRIGGER USER; ALTER TABLE oc_audit_log DISABLE TRIGGER USER`,
        );
        try {
          await client.query(
            `UPDATE ${partition} SET ${change} WHERE ledger = '${organization}/eu' AND seq = ${entry.seq}`,
          );
        } finally {
          await client.query("ROLLBACK");
        }
      });
    for (const change of ["measures = '{}'", "measures = NULL", `measures = '{"amount":"1"}'`, "type = 'NOTE'"]) {
      await expect(unguardedUpdate(change)).rejects.toMatchObject({ code: "23514" });
    }
  });
});
