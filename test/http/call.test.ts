import { getEventListeners } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createCall } from "../../src/http/call.ts";
import { createRates, RATE_LIMITS } from "../../src/http/rates.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { connect } from "./client.ts";
import { type Api, startApi } from "./harness.ts";

const DAY = 86_400_000;

function callExpiring(expiresAt: number, stopping: AbortSignal) {
  return createCall({
    facts: { method: "POST", url: "/graphql", headers: {}, rawHeaders: [], remoteAddress: "127.0.0.1" },
    signedIn: {
      principal: { kind: "HUMAN", id: "member", organization: "acme", groups: [], roles: [] },
      method: "test",
      expiresAt,
    } as never,
    client: { name: "unknown", confidence: "UNKNOWN", modelConfidence: "UNKNOWN", evidence: {} },
    address: undefined,
    stopping,
    forDecision: undefined,
    onRefusal: () => undefined,
    rates: createRates(RATE_LIMITS),
  });
}

describe("the signal that ends what a call follows", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("leaves neither a listener nor a timer when the call is over first", () => {
    vi.useFakeTimers();
    const stopping = new AbortController();
    const over = new AbortController();
    const ends = callExpiring(Date.now() / 1000 + 3600, stopping.signal).ends(over.signal);
    expect(getEventListeners(stopping.signal, "abort")).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(1);
    over.abort();
    expect(getEventListeners(stopping.signal, "abort")).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(ends.aborted).toBe(false);
  });

  it("leaves none when the server stops, nor when there never was anything to follow", () => {
    vi.useFakeTimers();
    const stopping = new AbortController();
    const over = new AbortController();
    const call = callExpiring(Date.now() / 1000 + 3600, stopping.signal);
    call.ends(AbortSignal.abort());
    expect(getEventListeners(stopping.signal, "abort")).toHaveLength(0);
    const ends = call.ends(over.signal);
    stopping.abort();
    expect(ends.reason).toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(over.signal, "abort")).toHaveLength(0);
  });

  it("aborts when the token expires and not before, also beyond what one timer can wait", () => {
    vi.useFakeTimers();
    const over = new AbortController();
    const ends = callExpiring((Date.now() + 60 * DAY) / 1000, new AbortController().signal).ends(over.signal);
    vi.advanceTimersByTime(59 * DAY);
    expect(ends.aborted).toBe(false);
    vi.advanceTimersByTime(DAY);
    expect(ends.reason).toMatchObject({ extensions: { code: "UNAUTHENTICATED" } });
    expect(getEventListeners(over.signal, "abort")).toHaveLength(0);
  });
});

describe("subscriptions that ended", () => {
  let database: TestDatabase;
  let api: Api;
  beforeAll(async () => {
    database = await createTestDatabase();
    api = await startApi(database.appUrl, { heartbeat: 0.05 });
  });
  afterAll(async () => {
    await api.close();
    await database.drop();
  });

  it("leave no listener on any signal of the process", async () => {
    const signals = new Set<AbortSignal>();
    const add = EventTarget.prototype.addEventListener;
    const spy = vi.spyOn(EventTarget.prototype, "addEventListener").mockImplementation(function (
      this: EventTarget,
      ...what: Parameters<typeof add>
    ) {
      if (this instanceof AbortSignal) signals.add(this);
      return add.apply(this, what);
    });
    const listeners = () =>
      [...signals].filter(({ aborted }) => !aborted).map((signal) => getEventListeners(signal, "abort").length);
    const follow = "subscription{auditEntries{cursor}}";
    const token = await api.token("auditor");
    const client = await connect(api.wsUrl, token);
    for (let round = 0; round < 5; round++) {
      const id = String(round);
      client.send({ type: "subscribe", id, payload: { query: follow } });
      await client.next((message) => message.id === id && message.type === "next");
      client.send({ type: "complete", id });
      const streamed = await fetch(api.url, {
        method: "POST",
        headers: { accept: "text/event-stream", authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ query: follow }),
      });
      await streamed.body?.cancel();
    }
    expect(signals.size).toBeGreaterThan(0);
    await expect.poll(() => (api.services.follower as unknown as { following(): number }).following()).toBe(0);
    spy.mockRestore();
    // The client library of the test keeps some of its own for a while.
    await expect.poll(() => listeners().filter((count) => count > 4)).toEqual([]);
    client.socket.close();
  });
});
