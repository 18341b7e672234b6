import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, dataOf, type RawClient } from "../http/client.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { act, propose } from "./steps.ts";

let database: TestDatabase;
/** Two servers on one database, which ask two people to approve. */
let servers: readonly [Api, Api];
/** The second approver's token for each. */
let seconds: readonly [string, string];

beforeAll(async () => {
  database = await createTestDatabase();
  const start = () => startApi(database.appUrl, { heartbeat: 0.3, approvers: 2 });
  servers = [await start(), await start()];
  const person = { sub: "second", org: "acme", kind: "HUMAN", email: "second@acme.example" };
  const sign = (server: Api) => server.sign({ ...person, roles: ["member"], groups: ["approvers"] });
  seconds = [await sign(servers[0]), await sign(servers[1])];
});

afterAll(async () => {
  for (const server of servers ?? []) await server.close();
  await database?.drop();
});

/** What becomes of an action after it was proposed. */
const FATES = {
  waits: [],
  "is half approved": ["approve"],
  "is approved": ["approve", "approve"],
  "is denied": ["deny"],
  "is approved and then denied": ["approve", "approve", "deny"],
  "is half approved and cancelled": ["approve", "cancel"],
} as const;
type Fate = keyof typeof FATES;

/** Lives through one action, its calls spread over the servers; its id. */
async function live(fate: Fate, at: number): Promise<string> {
  const { action } = await propose(servers[at % 2]!, { arguments: { at } });
  const input = { actionId: action.id };
  let approvals = 0;
  for (const [step, what] of FATES[fate].entries()) {
    const which = (at + step) % 2;
    const server = servers[which]!;
    if (what === "cancel") {
      expect((await act(server, "cancelAction", input, "agent")).userErrors).toEqual([]);
      continue;
    }
    const as = what === "approve" && approvals++ > 0 ? { token: seconds[which]! } : "approver";
    const decision = { ...input, digest: action.digest, note: "looked at" };
    expect((await act(server, `${what}Action`, decision, as)).userErrors).toEqual([]);
  }
  return action.id;
}

interface Change {
  readonly change: string;
  readonly cursor: string;
  readonly id: string;
}

interface Event {
  readonly pendingApprovals: {
    readonly change: string;
    readonly cursor: string;
    readonly action: { readonly id: string } | null;
  };
}

/** What one client knows: the list it read, where, and what followed. */
interface Follower {
  readonly listed: readonly string[];
  readonly asOf: bigint;
  readonly events: () => readonly Change[];
  /** The position that events and heartbeats have reached. */
  readonly reached: () => bigint;
}

interface Lists {
  readonly ledger: { readonly head: { readonly seq: string } };
  readonly pendingApprovals: {
    readonly nodes: readonly { readonly id: string }[];
    readonly asOf: readonly { readonly seq: string }[];
  };
}

const LIST = "{ledger{head{seq}} pendingApprovals(first:100){nodes{id} asOf{seq}}}";
const FOLLOW = "subscription($after:Sequence!){pendingApprovals(after:$after){cursor change action{id}}}";

/** Reads the list from one server and follows it on another, by `client`. */
async function listAndFollow(server: Api, client: RawClient, id: string): Promise<Follower> {
  const { data } = await server.gql<Lists>(LIST, {}, { as: "approver" });
  const after = data.pendingApprovals.asOf[0]?.seq ?? "";
  expect(data.ledger.head.seq).toBe(after);
  client.send({ type: "subscribe", id, payload: { query: FOLLOW, variables: { after } } });
  const received = () =>
    client.messages
      .filter((message) => message.type === "next" && message.id === id)
      .map((message) => dataOf<Event>(message).pendingApprovals);
  return {
    listed: data.pendingApprovals.nodes.map((node) => node.id),
    asOf: BigInt(after),
    events: () =>
      received().flatMap(({ change, cursor, action }) => (action === null ? [] : [{ change, cursor, id: action.id }])),
    reached: () => BigInt(received().at(-1)?.cursor ?? 0),
  };
}

interface Entries {
  readonly auditEntries: {
    readonly nodes: readonly {
      readonly seq: string;
      readonly type: string;
      readonly action: { readonly id: string } | null;
    }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
  };
}

/** The changes of the list of pending actions, from the entries of the ledger. */
async function changesOf(ids: ReadonlySet<string>): Promise<readonly Change[]> {
  const approvals = new Map<string, number>();
  const pending = new Set<string>();
  const changes: Change[] = [];
  let after: string | null = null;
  do {
    const query =
      "query($after:String){auditEntries(first:100,after:$after){nodes{seq type action{id}} pageInfo{hasNextPage endCursor}}}";
    const { data }: { readonly data: Entries } = await servers[0].gql<Entries>(query, { after }, { as: "auditor" });
    for (const { seq, type, action } of data.auditEntries.nodes) {
      const id = action?.id ?? "";
      if (!ids.has(id)) continue;
      const add = (change: string) => void changes.push({ change, cursor: seq, id });
      if (type === "ACTION_PROPOSED") {
        pending.add(id);
        add("ADDED");
        continue;
      }
      if (!pending.has(id)) continue;
      if (type === "ACTION_APPROVED") approvals.set(id, (approvals.get(id) ?? 0) + 1);
      const stays = type === "ACTION_APPROVED" && (approvals.get(id) ?? 0) < 2;
      if (!stays) pending.delete(id);
      add(stays ? "UPDATED" : "REMOVED");
    }
    after = data.auditEntries.pageInfo.hasNextPage ? data.auditEntries.pageInfo.endCursor : null;
  } while (after !== null);
  return changes;
}

describe("a list of pending actions that is followed from its asOf", () => {
  const fates = fc.constantFrom(...(Object.keys(FATES) as Fate[]));
  const rounds = fc.sample(fc.array(fates, { minLength: 24, maxLength: 30 }), { seed: 20_261_126, numRuns: 2 });

  it.each(rounds.map((round, at) => [at + 1, round] as const))(
    "misses nothing and repeats nothing while others propose and decide: round %i",
    async (_, round) => {
      const ids = new Set<string>();
      const clients = [
        await connect(servers[0].wsUrl, await servers[0].token("approver")),
        await connect(servers[1].wsUrl, await servers[1].token("approver")),
      ] as const;
      let over = false;
      const followers: Follower[] = [];
      const listing = (async () => {
        while (!over && followers.length < 20) {
          const at = followers.length;
          followers.push(await listAndFollow(servers[at % 2]!, clients[(at + 1) % 2]!, String(at)));
        }
      })();
      const left = [...round.entries()];
      const worker = async () => {
        for (let next = left.shift(); next !== undefined; next = left.shift()) ids.add(await live(next[1], next[0]));
      };
      await Promise.all([worker(), worker(), worker(), worker()]);
      over = true;
      await listing;

      const changes = await changesOf(ids);
      const last = BigInt(changes.at(-1)?.cursor ?? 0);
      for (const { asOf, listed, events, reached } of followers) {
        await waitUntil(() => reached() >= last);
        const before = changes.filter(({ cursor }) => BigInt(cursor) <= asOf);
        const gone = new Set(before.filter(({ change }) => change === "REMOVED").map(({ id }) => id));
        const waiting = before.filter(({ change, id }) => change === "ADDED" && !gone.has(id)).map(({ id }) => id);
        expect(listed.filter((id) => ids.has(id)).toSorted()).toEqual(waiting.toSorted());
        expect(events()).toEqual(changes.filter(({ cursor }) => BigInt(cursor) > asOf));
      }
      // They listed at different moments, most of them while something was yet to happen.
      expect(new Set(followers.map(({ asOf }) => asOf)).size).toBeGreaterThan(3);
      expect(followers.filter(({ asOf }) => asOf < last).length).toBeGreaterThan(3);
      for (const client of clients) {
        client.socket.close();
        await client.closed;
      }
    },
  );
});
