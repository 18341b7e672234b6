import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Api } from "../http/harness.ts";
import {
  action,
  FLIGHTS,
  positionsOf,
  proposeTogether,
  startTwoServers,
  type TwoServers,
  transactionsOf,
  VOUCHERS,
} from "./propose-together.ts";
import { act, type Proposed, propose, READ, WRITE } from "./steps.ts";

let servers: TwoServers;
let api: Api;
let other: Api;

beforeAll(async () => {
  servers = await startTwoServers();
  ({ api, other } = servers);
});

afterAll(() => servers.close());

const transactions = (positions: readonly string[]) => transactionsOf(api.services.pool, positions);

describe("the chains of a batch", () => {
  const kinds = [READ, READ, WRITE, FLIGHTS, WRITE, WRITE, VOUCHERS, READ, VOUCHERS, FLIGHTS, FLIGHTS, VOUCHERS, WRITE];

  /** Chains and sources, as the numbers of the chains in order. */
  function shapeOf(
    results: readonly { readonly action: Pick<Proposed["action"], "chainHash" | "sourceChainHash"> | null }[],
  ) {
    const chains = [...new Set(results.map((result) => result.action?.chainHash))];
    return results.map((result) => [
      chains.indexOf(result.action?.chainHash),
      result.action?.sourceChainHash ? chains.indexOf(result.action.sourceChainHash) : null,
    ]);
  }

  it("are those of the same actions proposed one after the other", async () => {
    for (const all of [kinds, kinds.toReversed(), [WRITE, WRITE], [READ, WRITE], [WRITE, READ, WRITE]]) {
      const conversationId = randomUUID();
      const single = [];
      for (const kind of [...all, ...all])
        single.push(await propose(api, { conversationId: `single ${conversationId}`, ...kind }));
      const first = await proposeTogether(
        api,
        all.map((kind) => action({ conversationId, ...kind })),
      );
      // A later batch, by another server, goes on where it ended.
      const second = await proposeTogether(
        other,
        all.map((kind) => action({ conversationId, ...kind })),
      );
      expect(shapeOf([...first.results, ...second.results])).toEqual(shapeOf(single));
      for (const batch of [first, second]) expect(await transactions(positionsOf(batch))).toBe(1);
    }
  });

  it("are those of each conversation", async () => {
    const conversations = Array.from({ length: 10 }, () => randomUUID());
    const at = (n: number) => ({ conversationId: conversations[n % 10], ...[READ, WRITE, FLIGHTS][n % 3] });
    const batch = await proposeTogether(
      api,
      Array.from({ length: 60 }, (_, n) => action(at(n))),
    );
    expect(await transactions(positionsOf(batch))).toBe(1);
    const chains = batch.results.map((result) => result.action?.chainHash);
    for (const [n, chain] of chains.entries()) expect(chains.filter((each) => each === chain).length, `${n}`).toBe(1);
    const sources = batch.results.map((result) => chains.indexOf(result.action?.sourceChainHash ?? ""));
    for (const [n, source] of sources.entries()) if (source >= 0) expect(source % 10).toBe(n % 10);
    // Each conversation, but those that begin with a write, has a read before its writes.
    expect(sources.filter((source) => source >= 0).length).toBeGreaterThan(10);
  });

  it("go on without gaps while batches and single calls of two servers alternate between platforms", async () => {
    const conversations = [randomUUID(), randomUUID()];
    const kind = (n: number) => [READ, WRITE, FLIGHTS, VOUCHERS][n % 4]!;
    const work = Array.from({ length: 24 }, async (_, n) => {
      const server = n % 2 === 0 ? api : other;
      const order = n % 3 === 0 ? conversations : conversations.toReversed();
      if (n % 4 === 3) return [await propose(server, { conversationId: order[0], ...kind(n) })];
      const actions = Array.from({ length: 6 }, (__, at) => action({ conversationId: order[at % 2], ...kind(n + at) }));
      return (await proposeTogether(server, actions)).results;
    });
    const results = (await Promise.all(work)).flat();
    expect(results.filter(({ userErrors }) => userErrors.length > 0)).toEqual([]);
    for (const conversation of conversations) {
      const { rows } = await api.services.pool.query(
        "SELECT (state ->> 'number')::integer AS number, status FROM oc_state WHERE kind = 'CHAIN' AND conversation = $1 ORDER BY 1",
        [conversation],
      );
      expect(rows.map(({ number }) => number)).toEqual(rows.map((_, n) => n + 1));
      expect(rows.filter(({ status }) => status === "OPEN")).toHaveLength(1);
    }
  });
});

describe("the session of a batch", () => {
  const sessionsOf = async (positions: readonly string[]) => {
    const { rows } = await api.services.pool.query<{ session: string | null }>(
      "SELECT session_id AS session FROM oc_audit_log WHERE ledger = 'acme/eu' AND seq = ANY ($1::bigint[]) ORDER BY seq",
      [positions],
    );
    return rows.map(({ session }) => session);
  };

  it("is the one of each conversation, and none where none is open", async () => {
    const [one, two] = [randomUUID(), randomUUID()];
    const none = await proposeTogether(api, [action({ conversationId: one }), action()]);
    expect(await sessionsOf(positionsOf(none))).toEqual([null, null]);
    const start = (conversationId: string) =>
      act<{ session: { id: string } }>(api, "startSession", { conversationId }, "agent", "session{id}");
    const started = await start(one);
    await start(two);
    const batch = await proposeTogether(
      api,
      [one, two, one, randomUUID()].map((conversationId) => action({ conversationId })),
    );
    const [first, second, third, fourth] = await sessionsOf(positionsOf(batch));
    expect(first).not.toBeNull();
    expect(second).not.toBeNull();
    expect([third, fourth]).toEqual([first, null]);
    expect(second).not.toBe(first);
    await act(api, "endSession", { sessionId: started.session.id }, "agent", "session{id}");
    const after = await proposeTogether(api, [action({ conversationId: one }), action({ conversationId: two })]);
    expect(await sessionsOf(positionsOf(after))).toEqual([null, second]);
  });
});
