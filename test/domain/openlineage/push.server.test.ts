import type { ServerResponse } from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createOutgoing, type Outgoing } from "../../../src/domain/channels/outbound.ts";
import type { Caller } from "../../../src/domain/identity/principal.ts";
import { type Push, startPush } from "../../../src/domain/openlineage/push.ts";
import type { LedgerDamagedError } from "../../../src/ledger/errors.ts";
import { exportSteps } from "../../../src/ledger/export.ts";
import { createFollower } from "../../../src/ledger/follow.ts";
import { startWebhookReceiver, type WebhookReceiver } from "../../channels/webhook-receiver.ts";
import { openLineageProblems } from "../../support/lineage-schemas.ts";
import { recordingLog } from "../../support/log.ts";
import { withClient } from "../../support/postgres.ts";
import { waitUntil } from "../../support/wait.ts";
import { agent, calling, createWorld, type Process, read, type World } from "../support.ts";

const PAUSES = { first: 5, longest: 40, response: 400 };

let world: World;
let actions: Process;
let outgoing: Outgoing;
beforeAll(async () => {
  world = await createWorld();
  actions = await world.process();
  outgoing = createOutgoing(["127.0.0.1"]);
});
afterAll(async () => {
  outgoing?.close();
  await world?.close();
});

let receiver: WebhookReceiver;
const pushes: Push[] = [];
beforeEach(async () => {
  receiver = await startWebhookReceiver();
});
afterEach(async () => {
  await Promise.all(pushes.splice(0).map((push) => push.stop()));
  await receiver.close();
});

interface Event {
  readonly eventType: string;
  readonly eventTime: string;
  readonly run: { readonly runId: string; readonly facets: { readonly countersign_entry: { readonly seq: string } } };
  readonly job: { readonly namespace: string };
}
const eventsOf = () => receiver.received.map(({ body }) => JSON.parse(body) as Event);
/** What was received, each as often as it came. */
const received = () => eventsOf().map(({ eventType, run }) => `${run.runId} ${eventType}`);
/** The same, where what came again counts once. */
const once = () => [...new Set(received())];
const accept = (response: ServerResponse) => void response.writeHead(201).end();

interface Options {
  readonly path?: string;
  readonly outgoing?: Outgoing;
  readonly damaged?: (error: LedgerDamagedError) => LedgerDamagedError;
}

function start(
  organization: string,
  { path = "/api/v1/lineage", outgoing: ways = outgoing, damaged = (error) => error }: Options = {},
) {
  const log = recordingLog();
  const push = startPush({
    db: actions.pool,
    follower: createFollower({ pool: actions.pool, pollSeconds: 0.05 }),
    ledgers: { damaged },
    outbound: ways.request,
    targets: new Map([[organization, { url: `${receiver.url}${path}`, headers: { Authorization: "Bearer s3" } }]]),
    region: "eu",
    lease: 5,
    interval: 0.05,
    log,
    pauses: PAUSES,
  });
  pushes.push(push);
  return { push, log };
}

/** Organizations of the tests are apart from each other. */
const callerOf = (organization: string): Caller => ({
  ...calling({ ...agent, organization, onBehalfOf: { ...agent.onBehalfOf!, organization } }),
});

/** The id of a read that was begun. */
async function begun(organization: string): Promise<string> {
  const caller = callerOf(organization);
  const { action, grant } = await actions.actions.propose(caller, read());
  const { id } = action.state;
  const { digest } = await digestOf(organization, id);
  await actions.actions.redeemGrant(caller, { token: grant!.token, digest });
  return id;
}

const complete = (organization: string, actionId: string) =>
  actions.actions.complete(callerOf(organization), { actionId, outcome: "SUCCEEDED", result: { name: "Amelia" } });

/** A read that is carried out; the events that it adds. */
async function carriedOut(organization: string): Promise<readonly string[]> {
  const id = await begun(organization);
  await complete(organization, id);
  return [`${id} START`, `${id} RUNNING`, `${id} COMPLETE`];
}

async function digestOf(organization: string, id: string) {
  const { rows } = await actions.pool.query<{ digest: `sha256:${string}` }>(
    `SELECT (entry::json -> 'body' ->> 'digest') AS digest FROM oc_audit_log WHERE ledger = $1 AND action_id = $2 LIMIT 1`,
    [`${organization}/eu`, id],
  );
  return rows[0]!;
}

describe("run events that are sent", () => {
  it("come in the order of the ledger, from its first entry on, as the schemas say and with the headers that were set", async () => {
    const before = [...(await carriedOut("order")), ...(await carriedOut("order"))];
    start("order");
    await waitUntil(() => received().length === before.length);
    const later = await carriedOut("order");
    await waitUntil(() => received().length === before.length + later.length);
    expect(received()).toEqual([...before, ...later]);
    expect(eventsOf().flatMap((event) => openLineageProblems(event))).toEqual([]);
    for (const { path, headers, body } of receiver.received) {
      expect({ path, ...headers }).toMatchObject({
        path: "/api/v1/lineage",
        authorization: "Bearer s3",
        "content-type": "application/json",
      });
      expect(body).not.toContain("Amelia");
    }
  });

  it("come again, the same and before those behind them, while the receiver fails, is busy or does not respond", async () => {
    const expected = [...(await carriedOut("retried")), ...(await carriedOut("retried"))];
    const slow: ServerResponse[] = [];
    const failures = [
      (response: ServerResponse) => void response.writeHead(500).end(),
      (response: ServerResponse) => void slow.push(response),
      (response: ServerResponse) => void response.writeHead(429, { "retry-after": "0.05" }).end(),
      (response: ServerResponse) => void response.destroy(),
      (response: ServerResponse) => void response.writeHead(401).end(),
      (response: ServerResponse) => void response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
    ];
    let at = 0;
    // Each event fails in one of these ways first.
    const isSecond = new Set<string>();
    receiver.respond((response) => {
      const body = receiver.received.at(-1)?.body ?? "";
      if (isSecond.has(body)) return accept(response);
      isSecond.add(body);
      failures[at++ % failures.length]?.(response);
    });
    const { log } = start("retried");
    await waitUntil(() => received().length === 2 * expected.length);
    expect(received()).toEqual(expected.flatMap((event) => [event, event]));
    const bodies = receiver.received.map(({ body }) => body);
    for (let each = 0; each < bodies.length; each += 2) expect(bodies[each]).toBe(bodies[each + 1]);
    await waitUntil(() => log.messages.includes("run events are sent again"));
    for (const response of slow) response.destroy();
  });

  it("are left out when the receiver refuses one itself, which is logged", async () => {
    const [first = "", second = "", third = ""] = await carriedOut("refused");
    receiver.respond((response) => {
      const isRefused = receiver.received.at(-1)?.body.includes('"RUNNING"') === true;
      response.writeHead(isRefused ? 422 : 201).end();
    });
    const { log } = start("refused");
    await waitUntil(() => received().includes(third));
    expect(received()).toEqual([first, ...Array.from({ length: 5 }, () => second), third]);
    expect(log.messages).toContain("a run event was refused, and is left out");
  });

  it("go on behind the last one that was accepted when a server stops and another one takes over", async () => {
    const before = await carriedOut("continued");
    const { push } = start("continued");
    await waitUntil(() => received().length === before.length);
    await push.stop();
    const later = [...(await carriedOut("continued")), ...(await carriedOut("continued"))];
    // Two servers at once: one sends.
    start("continued");
    start("continued");
    await waitUntil(() => once().length === before.length + later.length);
    expect(once()).toEqual([...before, ...later]);
    // What was in flight when the first one stopped may have come twice; nothing else.
    expect(received().length).toBeLessThanOrEqual(before.length + later.length + 1);
  });

  it("are those of the organization alone", async () => {
    await carriedOut("others");
    const own = await carriedOut("own");
    start("own");
    await waitUntil(() => received().length >= own.length);
    await carriedOut("others");
    const last = await carriedOut("own");
    await waitUntil(() => received().length >= own.length + last.length);
    expect(received()).toEqual([...own, ...last]);
    expect(new Set(eventsOf().map(({ job }) => job.namespace))).toEqual(new Set(["countersign://own/crm"]));
  });

  it("do not go to addresses that are not public, unless the operator permits them", async () => {
    await carriedOut("inside");
    const closed = createOutgoing([]);
    const { log, push } = start("inside", { outgoing: closed });
    await waitUntil(() => log.messages.some((message) => message.includes("cannot be sent")));
    await push.stop();
    closed.close();
    expect(receiver.received).toEqual([]);
  });

  it("all come again at another address", async () => {
    const events = await carriedOut("moved");
    const { push } = start("moved");
    await waitUntil(() => received().length === events.length);
    await push.stop();
    start("moved", { path: "/elsewhere" });
    await waitUntil(() => received().length === 2 * events.length);
    expect(received()).toEqual([...events, ...events]);
    expect(receiver.received.map(({ path }) => path)).toEqual([
      ...events.map(() => "/api/v1/lineage"),
      ...events.map(() => "/elsewhere"),
    ]);
  });

  it("have the end of an action that was given more time, which is sent without these entries", async () => {
    const id = await begun("patient");
    const { push } = start("patient");
    await waitUntil(() => received().length === 2);
    await push.stop();
    for (const seconds of [2_000, 2_100, 2_200]) {
      await actions.actions.extend(callerOf("patient"), { actionId: id, seconds });
    }
    await complete("patient", id);
    const steps = await exportSteps(actions.pool, "patient/eu", id, 1_000n);
    expect(steps.map((text) => (JSON.parse(text) as { body: { type: string } }).body.type)).toEqual([
      "ACTION_PROPOSED",
      "GRANT_REDEEMED",
      "ACTION_COMPLETED",
    ]);
    start("patient");
    await waitUntil(() => received().length === 3);
    expect(received().at(-1)).toBe(`${id} COMPLETE`);
  });

  it("leave an action out of which the beginning is not there, say so, and do not call the ledger damaged", async () => {
    const id = await begun("beheaded");
    const { push } = start("beheaded");
    await waitUntil(() => received().length === 2);
    await push.stop();
    // The entry is as it was; what it is found by is not.
    await withClient(world.database.superuserUrl, async (client) => {
      await client.query("BEGIN; SET LOCAL event_triggers = off");
      const { rows } = await client.query<{ part: string }>(
        "SELECT 'oc_audit_log' AS part UNION ALL SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'oc_audit_log'::regclass",
      );
      for (const { part } of rows) await client.query(`ALTER TABLE ONLY ${part} DISABLE TRIGGER ALL`);
      const changed = await client.query(
        `UPDATE oc_audit_log SET state_version = NULL
          WHERE ledger = 'beheaded/eu' AND action_id = $1 AND type = 'ACTION_PROPOSED'`,
        [id],
      );
      expect(changed.rowCount).toBe(1);
      for (const { part } of rows) await client.query(`SELECT oc_always('${part}')`);
      await client.query("COMMIT");
    });
    await complete("beheaded", id);
    const later = await carriedOut("beheaded");
    const noted: string[] = [];
    const { log } = start("beheaded", {
      damaged(error) {
        noted.push(error.what);
        return error;
      },
    });
    await waitUntil(() => once().includes(later.at(-1) ?? ""));
    expect(once()).toEqual([`${id} START`, `${id} RUNNING`, ...later]);
    expect(log.messages).toContain("what came before an entry of its action is not there: it has no run event");
    expect(noted).toEqual([]);
  });

  it("end where an entry is not what the one behind it says, and start again at the same place", async () => {
    const before = await carriedOut("damaged");
    const later = await carriedOut("damaged");
    const { rows } = await actions.pool.query<{ seq: string }>(
      "SELECT seq FROM oc_audit_log WHERE ledger = 'damaged/eu' ORDER BY seq DESC OFFSET 2 LIMIT 1",
    );
    await withClient(world.database.superuserUrl, async (client) => {
      await client.query("SET event_triggers = off");
      await client.query("SET session_replication_role = replica");
      await client.query("ALTER TABLE oc_audit_log DISABLE TRIGGER ALL");
      await client.query("ALTER TABLE oc_audit_log DROP CONSTRAINT IF EXISTS oc_audit_log_hash");
      await client.query(
        `UPDATE oc_audit_log SET entry = replace(entry, '"tool":"get_user_details"', '"tool":"get_user_detailz"')
          WHERE ledger = 'damaged/eu' AND seq = $1`,
        [rows[0]?.seq],
      );
    });
    const noted: string[] = [];
    start("damaged", {
      damaged(error) {
        noted.push(error.what);
        return error;
      },
    });
    await waitUntil(() => noted.length > 1);
    expect(noted[0]).toMatch(/entry \d+ does not have the hash of the entry before it/);
    expect(once()).toEqual(expect.arrayContaining([...before]));
    expect(once()).not.toContain(later.at(-1));
  });
});
