import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createActionLoader } from "../../../src/domain/actions/loading/loader.ts";
import { ledgerOf } from "../../../src/facts/entry.ts";
import { LedgerUnavailableError } from "../../../src/ledger/errors.ts";
import type { Queryable } from "../../../src/ledger/read.ts";
import { DISARM } from "../../ledger/tamper.attacks.ts";
import { isSigned } from "../../support/ledgers.ts";
import { withClient } from "../../support/postgres.ts";
import { agent, calling, createWorld, type Process, type World, write } from "../support.ts";

let world: World;
let one: Process;

beforeAll(async () => {
  world = await createWorld();
  one = await world.process();
});
afterAll(() => world.close());

const ledger = ledgerOf(agent.organization, "eu");

async function proposeSome(count: number): Promise<readonly string[]> {
  const made = await Promise.all(Array.from({ length: count }, () => one.actions.propose(calling(agent), write())));
  return made.map(({ action }) => action.state.id);
}

/** The pool of the process, which counts its statements. */
function counting(): { readonly db: Queryable; readonly statements: () => number } {
  let statements = 0;
  const query = ((...parameters: Parameters<Queryable["query"]>) => {
    statements += 1;
    return one.pool.query(...parameters);
  }) as Queryable["query"];
  return { db: { query }, statements: () => statements };
}

it("loads the actions of one turn in one statement for every 32, and each call gets its own", async () => {
  const { db, statements } = counting();
  const load = createActionLoader({ db, ledgers: one.ledgers, isSigned });
  const ids = await proposeSome(40);
  const loaded = await Promise.all(ids.map((id) => load({ ledger, id })));
  expect(loaded.map((action) => action?.view.state.id)).toEqual(ids);
  expect(statements()).toBe(2);
});

it("finds nothing for an unknown id, one that is none, and another organization's ledger", async () => {
  const { db, statements } = counting();
  const load = createActionLoader({ db, ledgers: one.ledgers, isSigned });
  const [id = ""] = await proposeSome(1);
  const keys = [
    { ledger, id },
    { ledger, id: randomUUID() },
    { ledger, id: "none" },
    { ledger: ledgerOf("globex", "eu"), id },
    { ledger, id: id.toUpperCase() },
    { ledger, id },
  ];
  const found = await Promise.all(keys.map(load));
  expect(found.map((action) => action?.view.state.id)).toEqual([id, undefined, undefined, undefined, id, id]);
  expect(statements()).toBe(1);
  expect(await load({ ledger, id: "none" })).toBeUndefined();
  expect(statements()).toBe(1);
});

it("keeps nothing: a later call gets what was recorded meanwhile", async () => {
  const load = createActionLoader({ db: one.pool, ledgers: one.ledgers, isSigned });
  const [id = ""] = await proposeSome(1);
  expect((await load({ ledger, id }))?.view.state.status).toBe("PENDING");
  await one.actions.cancel(calling(agent), { actionId: id });
  expect((await load({ ledger, id }))?.view.state.status).toBe("CANCELLED");
});

// The last that needs the database: it takes the guards off.
it("fails the call for an action that cannot be read, and no other", async () => {
  const load = createActionLoader({ db: one.pool, ledgers: one.ledgers, isSigned });
  const ids = await proposeSome(3);
  await withClient(world.database.superuserUrl, async (client) => {
    await client.query(DISARM);
    await client.query("UPDATE oc_audit_log SET entry = 'no JSON' WHERE action_id = $1::uuid", [ids[1]]);
  });
  const settled = await Promise.allSettled(ids.map((id) => load({ ledger, id })));
  expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});

it("fails every call with LedgerUnavailableError when the database cannot be reached", async () => {
  const away = Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" });
  let statements = 0;
  const query = (() => {
    statements += 1;
    return Promise.reject(away);
  }) as Queryable["query"];
  const load = createActionLoader({ db: { query }, ledgers: one.ledgers, isSigned });
  const settled = await Promise.allSettled([1, 2, 3].map(() => load({ ledger, id: randomUUID() })));
  expect(settled.map((one) => one.status === "rejected" && one.reason instanceof LedgerUnavailableError)).toEqual([
    true,
    true,
    true,
  ]);
  expect(statements).toBe(1);
});
