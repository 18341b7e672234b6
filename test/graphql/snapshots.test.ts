import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, dataOf } from "../http/client.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { propose, READ } from "./steps.ts";

let database: TestDatabase;
let api: Api;

// One connection: whoever needed a second one to finish would wait for it until the test gives up.
const start = (maxSeconds: number) =>
  startApi(database.appUrl, { recordsReading: true, snapshots: { connections: 1, maxSeconds } });

beforeAll(async () => {
  database = await createTestDatabase();
  api = await start(300);
  await propose(api, READ);
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

/** Whether every connection for snapshots is back. */
const allReturned = ({ snapshotPool } = api) => {
  const { totalCount, idleCount, waitingCount } = snapshotPool;
  return totalCount === idleCount && waitingCount === 0;
};

const append = () =>
  api.services.ledgers.append("acme/eu", {
    type: "SAID",
    actor: { id: "somebody", kind: "HUMAN", roles: [], groups: [] },
  });

interface Lists {
  readonly ledger: { readonly head: { readonly seq: string; readonly hash: string } };
  readonly auditEntries: {
    readonly nodes: readonly { readonly seq: string; readonly hash: string }[];
    readonly asOf: readonly object[];
  };
  readonly actions: { readonly asOf: readonly object[] };
  readonly sessions: { readonly asOf: readonly object[] };
  readonly principals: { readonly asOf: readonly object[] };
}

const LISTS = `{
  first:auditEntries(newestFirst:true,first:1){nodes{actor{id} action{id} session{id}}}
  ledger{head{seq hash}}
  principals{asOf{ledger region seq} nodes{id owner{id}}}
  sessions{asOf{ledger region seq}}
  actions{asOf{ledger region seq} nodes{viewerCanDecide entries{seq}}}
  auditEntries(newestFirst:true,first:1){nodes{seq hash} asOf{ledger region seq}}}`;

describe("the fields of one query", () => {
  it("agree about where the ledger ends, whatever is recorded meanwhile", async () => {
    let over = false;
    const appending = (async () => {
      while (!over) await append();
    })();
    const heads = new Set<string>();
    for (let round = 0; round < 60; round++) {
      const { data, errors } = await api.gql<Lists>(LISTS, {}, { as: "auditor" });
      expect(errors).toBeUndefined();
      const { seq, hash } = data.ledger.head;
      const asOf = [{ ledger: "acme/eu", region: "eu", seq }];
      expect(data.auditEntries).toEqual({ nodes: [{ seq, hash }], asOf });
      expect(data.actions.asOf).toEqual(asOf);
      expect(data.sessions.asOf).toEqual(asOf);
      expect(data.principals.asOf).toEqual(asOf);
      heads.add(seq);
    }
    over = true;
    await appending;
    // It did move.
    expect(heads.size).toBeGreaterThan(30);
  });

  it("agree over a WebSocket too", async () => {
    let over = false;
    const appending = (async () => {
      while (!over) await append();
    })();
    const client = await connect(api.wsUrl, await api.token("auditor"));
    const heads = new Set<string>();
    for (let round = 0; round < 20; round++) {
      client.send({ type: "subscribe", id: String(round), payload: { query: LISTS } });
      const answer = await client.next(({ type, id }) => type === "next" && id === String(round));
      const { ledger, auditEntries, principals } = dataOf(answer) as Lists;
      const { seq, hash } = ledger.head;
      expect(auditEntries).toEqual({ nodes: [{ seq, hash }], asOf: [{ ledger: "acme/eu", region: "eu", seq }] });
      expect(principals.asOf).toEqual(auditEntries.asOf);
      heads.add(seq);
    }
    over = true;
    await appending;
    client.socket.close();
    await client.closed;
    expect(heads.size).toBeGreaterThan(5);
  });

  it("lead on to a subscription that misses nothing and repeats nothing", async () => {
    const query = "{auditEntries(newestFirst:true,first:1){asOf{seq}}}";
    const { data } = await api.gql<{ auditEntries: { asOf: { seq: string }[] } }>(query, {}, { as: "auditor" });
    const after = data.auditEntries.asOf[0]?.seq ?? "";
    const next = await append();
    const client = await connect(api.wsUrl, await api.token("auditor"));
    const subscription =
      'subscription($after:Sequence!){auditEntries(after:$after,filter:{actorId:"somebody"}){cursor}}';
    client.send({ type: "subscribe", id: "1", payload: { query: subscription, variables: { after } } });
    const first = await client.next(({ type }) => type === "next");
    expect(dataOf(first)).toEqual({ auditEntries: { cursor: String(next.seq) } });
    client.socket.close();
    await client.closed;
  });

  it("are read with one connection, however many queries are under way", async () => {
    const answers = await Promise.all(Array.from({ length: 24 }, () => api.gql(LISTS, {}, { as: "admin" })));
    expect(answers.map(({ errors }) => errors)).toEqual(answers.map(() => undefined));
    expect(api.snapshotPool.totalCount).toBe(1);
  });

  it("take no connection when none of them reads", async () => {
    api.queries();
    expect((await api.gql("{viewer{id} __typename}", {}, { as: "member" })).data).toMatchObject({
      viewer: { id: "member" },
    });
    expect(api.sent).toEqual([]);
  });

  it("are the first to read a new organization's ledger, which begins with them", async () => {
    const token = await api.sign({ sub: "first", org: "newcomer", kind: "HUMAN", roles: ["auditor"], groups: [] });
    const query = "{auditEntries{nodes{seq type} asOf{ledger seq}} ledger{head{seq}}}";
    expect((await api.gql(query, {}, { token })).data).toEqual({
      auditEntries: {
        nodes: [{ seq: "1", type: "LEDGER_CREATED" }],
        asOf: [{ ledger: "newcomer/eu", seq: "1" }],
      },
      ledger: { head: { seq: "1" } },
    });
  });
});

describe("the connection of a query", () => {
  const SLOW = "{actions{nodes{id}}}";

  /** Runs `work` while nobody can read where actions stand. */
  async function whileBlocked(work: () => Promise<void>): Promise<void> {
    const blocker = new Client({ connectionString: database.superuserUrl });
    await blocker.connect();
    try {
      await blocker.query("BEGIN; LOCK TABLE oc_state IN ACCESS EXCLUSIVE MODE");
      await work();
    } finally {
      await blocker.end();
    }
  }

  it("is given back when fields fail", async () => {
    const query = '{ledger{head{seq}} actions(after:"nonsense"){nodes{id}} auditEntries{nodes{id}}}';
    for (let round = 0; round < 5; round++) {
      const { errors } = await api.gql(query, {}, { as: "auditor" });
      expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["BAD_USER_INPUT"]);
    }
    await waitUntil(() => allReturned());
  });

  it.each([
    ["reading takes too long, and the query refused", false],
    ["the client is gone and reading takes too long", true],
  ])("is given back when %s", async (_, leaves) => {
    const impatient = await start(0.5);
    try {
      // Finds its session while it can.
      await impatient.gql("{ledger{head{seq}}}", {}, { as: "auditor" });
      const token = await impatient.token("auditor");
      await whileBlocked(async () => {
        const leaving = new AbortController();
        const asked = fetch(impatient.url, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
          body: JSON.stringify({ query: SLOW }),
          signal: leaving.signal,
        });
        await waitUntil(() => !allReturned(impatient));
        if (leaves) {
          leaving.abort();
          await expect(asked).rejects.toThrow();
        } else {
          expect(await (await asked).text()).toContain("QUERY_TOO_COMPLEX");
        }
        await waitUntil(() => allReturned(impatient));
      });
      await waitUntil(async () => (await impatient.gql(SLOW, {}, { as: "auditor" })).errors === undefined);
    } finally {
      await impatient.close();
    }
  });
});
