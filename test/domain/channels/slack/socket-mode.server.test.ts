import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backOff, SOCKET_TIMES, stayConnected } from "../../../../src/domain/channels/slack/socket-mode.ts";
import { createLogger } from "../../../../src/log.ts";
import { type FakeSlack, startFakeSlack } from "../../../support/slack/fake-slack.ts";
import { waitUntil } from "../../../support/wait.ts";
import { createWorld, type World } from "./world.ts";

describe("Socket Mode", () => {
  let world: World;
  let stopping: AbortController;
  let running: Promise<void>;

  beforeEach(async () => {
    world = await createWorld({ mode: "SOCKET" });
    stopping = new AbortController();
    running = world.connect(world.channel, world.door, stopping.signal);
    await waitUntil(() => world.slack.connected.size === 1);
  });
  afterEach(async () => {
    stopping?.abort();
    await running;
    await world?.close();
  });

  it("opens its connection by the app's token, and the rest by the bot's", async () => {
    await world.sent();
    expect(world.slack.calls.map(({ method, token }) => [method, token])).toEqual([
      ["apps.connections.open", world.slack.appToken],
      ["chat.postMessage", world.slack.botToken],
    ]);
  });

  it("acknowledges what was begun before the connection is replaced", async () => {
    const { posted } = await world.sent();
    const { promise, resolve } = Promise.withResolvers<void>();
    world.door.next.push(async () => {
      await promise;
      return { outcome: "RECORDED", message: undefined };
    });
    const [first] = world.slack.connected;
    const pressed = world.slack.press("U0MIA", posted, "Approve");
    await waitUntil(() => world.door.next.length === 0);
    world.slack.refresh();
    await waitUntil(() => world.slack.connected.size === 2);
    resolve();
    expect(await pressed).toMatchObject({ status: 200 });
    await waitUntil(() => !world.slack.connected.has(first!));
  });

  it("acknowledges what is not for it, and does nothing with it", async () => {
    const { posted } = await world.sent();
    const press = world.slack.pressed("U0MIA", posted, "Approve");
    let deep: unknown = "";
    for (let depth = 0; depth < 2_000; depth += 1) deep = [deep];
    for (const envelope of [
      { type: "events_api", payload: { event: { type: "message" } } },
      { type: "slash_commands", payload: press },
      { type: "interactive", payload: { ...press, team: { id: "T0OTHER" } } },
      { type: "interactive", payload: { ...press, actions: [] } },
      { type: "interactive" },
      { type: "something_new", payload: press },
      { type: "interactive", payload: { a: deep, type: "block_actions" } },
      { type: "interactive", payload: deep },
    ]) {
      expect(await world.slack.send(envelope)).toMatchObject({ body: "" });
    }
    expect(world.door.decisions).toEqual([]);
    expect(world.slack.told("U0MIA")).toEqual([]);
  });

  it("stops when it is told to, and connects no more", async () => {
    stopping.abort();
    await running;
    await waitUntil(() => world.slack.connected.size === 0);
    const count = world.slack.calls.length;
    await world.connect(world.channel, world.door, stopping.signal);
    expect(world.slack.calls).toHaveLength(count);
  });

  it("is not for a channel that Slack calls", async () => {
    const channel = { ...world.channel, settings: { ...world.channel.settings, mode: "HTTP" } } as const;
    await world.connect(channel, world.door, new AbortController().signal);
    expect(world.slack.connected.size).toBe(1);
  });
});

describe("a connection", () => {
  let slack: FakeSlack;
  let stopping: AbortController;
  let running: Promise<void>;
  const logged: string[] = [];

  beforeEach(async () => {
    slack = await startFakeSlack();
    stopping = new AbortController();
    const open = async () => {
      const headers = { authorization: `Bearer ${slack.appToken}` };
      const response = await fetch(`${slack.apiUrl}/apps.connections.open`, { method: "POST", headers });
      return ((await response.json()) as { url: string }).url;
    };
    running = stayConnected({
      open,
      handle: async () => undefined,
      signal: stopping.signal,
      log: createLogger("info", { write: (line) => void logged.push(line) }),
      about: {},
      times: { ...SOCKET_TIMES, ping: 20, silence: 300, backOff: 10, longestBackOff: 20 },
    });
    await waitUntil(() => slack.connected.size === 1);
  });
  afterEach(async () => {
    stopping?.abort();
    for (const link of slack?.connected ?? []) link.terminate();
    await running;
    await slack?.close();
  });

  const isReplaced = async (link: unknown) => {
    await waitUntil(() => slack.connected.size === 1 && ![...slack.connected].some((one) => one === link));
    expect(await slack.send({ type: "interactive", payload: {} })).toMatchObject({ body: "" });
  };

  it("that Slack wants replaced, or that dropped, is replaced, after Slack was down as well", async () => {
    for (const interrupt of [
      () => slack.refresh(),
      () => slack.refresh("link_disabled"),
      () => slack.drop(),
      async () => {
        slack.setDown(true);
        await waitUntil(() => logged.some((line) => line.includes("could not be connected to")));
        slack.setDown(false);
      },
    ]) {
      const [link] = slack.connected;
      await interrupt();
      await isReplaced(link);
    }
  });

  it("by which something comes that Slack never sends is ended, and another one opened", async () => {
    for (const data of ["{", "[]", '{"type":7}', Buffer.from([1, 2]), `{"type":"${"x".repeat(300_000)}"}`]) {
      const [link] = slack.connected;
      link!.send(data);
      await isReplaced(link);
    }
  });

  it("that is silent is ended, and another one opened", async () => {
    const [link] = slack.connected;
    // Nothing is read of it any more, so pings get no response.
    link!.pause();
    await waitUntil(() => slack.connected.size === 2);
  });
});

describe("the wait for another connection", () => {
  it("grows with each failure, up to a minute, and is never the same everywhere", () => {
    expect(backOff(0, SOCKET_TIMES, 0.5)).toBe(0);
    expect([backOff(1, SOCKET_TIMES, 0), backOff(1, SOCKET_TIMES, 1)]).toEqual([250, 500]);
    expect([2, 3, 4].map((failures) => backOff(failures, SOCKET_TIMES, 1))).toEqual([1_000, 2_000, 4_000]);
    expect([backOff(1_000, SOCKET_TIMES, 0), backOff(1_000, SOCKET_TIMES, 1)]).toEqual([30_000, 60_000]);
  });
});
