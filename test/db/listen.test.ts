import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createListener, type Listener, type ListenerOptions } from "../../src/db/listen.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase, withClient } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";

let database: TestDatabase;
const endings: (() => Promise<unknown> | undefined)[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

afterAll(() => database.drop());

interface Heard {
  readonly payloads: string[];
  reconnects: number;
}

function listen(options: Partial<ListenerOptions> = {}): { listener: Listener; heard: Heard } {
  const heard: Heard = { payloads: [], reconnects: 0 };
  const listener = createListener({
    connectionString: database.appUrl,
    channel: "SELECT 'heard by tests'",
    log: silent,
    onNotify: (payload) => heard.payloads.push(payload),
    onReconnect() {
      heard.reconnects += 1;
    },
    ...options,
  });
  endings.push(() => listener.stop());
  return { listener, heard };
}

const execute = (sql: string) => withClient(database.superuserUrl, (client) => client.query(sql));
const notify = (payload: string) => execute(`NOTIFY "heard by tests", '${payload}'`);
const ofListener = `FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'countersign-listen'`;

/** Between client and server; while frozen it holds the bytes back, and tells nobody. */
async function startProxy(): Promise<{ url: string; freeze(): void; thaw(): void }> {
  const server = new URL(database.appUrl);
  const sockets = new Set<Socket>();
  const held: (() => void)[] = [];
  let frozen = false;
  const forward = (from: Socket, to: Socket) => {
    sockets.add(from);
    from.on("error", () => to.destroy()).on("close", () => to.destroy());
    from.on("data", (bytes) => {
      if (frozen) held.push(() => to.write(bytes));
      else to.write(bytes);
    });
  };
  const proxy = createServer((inside) => {
    const outside = connect(Number(server.port), server.hostname);
    forward(inside, outside);
    forward(outside, inside);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  endings.push(async () => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
    await once(proxy, "close");
  });
  const address = proxy.address();
  if (typeof address !== "object" || address === null) throw new Error("The proxy has no address.");
  const url = new URL(server);
  url.port = String(address.port);
  return {
    url: url.href,
    freeze() {
      frozen = true;
    },
    thaw() {
      frozen = false;
      for (const release of held.splice(0)) release();
    },
  };
}

describe("createListener", () => {
  it("receives what is notified while it listens, as oc_app", async () => {
    const { listener, heard } = listen();
    expect(listener.state).toBe("stopped");
    await listener.start();
    expect(listener.state).toBe("listening");
    await notify("acme/eu 1");
    await notify("");
    await waitUntil(() => heard.payloads.length === 2);
    expect(heard).toEqual({ payloads: ["acme/eu 1", ""], reconnects: 0 });
  });

  it("outlives a notification that cannot be taken in", async () => {
    const heard: string[] = [];
    const { listener } = listen({
      onNotify(payload) {
        if (payload === "bad") throw new Error("not understood");
        heard.push(payload);
      },
    });
    await listener.start();
    await notify("bad");
    await notify("good");
    await waitUntil(() => heard.length > 0);
    expect([heard, listener.state]).toEqual([["good"], "listening"]);
  });

  it("reconnects when its connection is ended, and reports that it may have missed something", async () => {
    const { listener, heard } = listen();
    await listener.start();
    for (const round of [1, 2]) {
      await execute(`SELECT pg_terminate_backend(pid) ${ofListener}`);
      await waitUntil(() => heard.reconnects === round);
      expect(listener.state).toBe("listening");
      await notify(`round ${round}`);
      await waitUntil(() => heard.payloads.includes(`round ${round}`));
    }
  });

  it("notices a connection that is dead without saying so", async () => {
    const proxy = await startProxy();
    const { listener, heard } = listen({
      connectionString: proxy.url,
      heartbeatIntervalMs: 50,
      heartbeatTimeoutMs: 200,
    });
    await listener.start();
    proxy.freeze();
    await waitUntil(() => listener.state === "connecting");
    await notify("nobody hears this");
    proxy.thaw();
    await waitUntil(() => heard.reconnects > 0);
    await notify("this");
    await waitUntil(() => heard.payloads.includes("this"));
    expect(heard.payloads).toEqual(["this"]);
  });

  it("keeps trying until there is a server", async () => {
    const proxy = await startProxy();
    proxy.freeze();
    const { listener, heard } = listen({ connectionString: proxy.url });
    const started = listener.start();
    await execute("SELECT 1");
    expect(listener.state).toBe("connecting");
    proxy.thaw();
    await started;
    await waitUntil(() => listener.state === "listening");
    expect(heard.payloads).toEqual([]);
  });

  it("leaves no connection behind when it stops, and can start again", async () => {
    const { listener, heard } = listen();
    await listener.start();
    await listener.stop();
    expect(listener.state).toBe("stopped");
    await waitUntil(async () => (await execute(`SELECT ${ofListener}`)).rowCount === 0);
    await listener.start();
    await notify("again");
    await waitUntil(() => heard.payloads.includes("again"));
  });

  it("stops while there is no server", async () => {
    const nowhere = new URL(database.appUrl);
    nowhere.port = "1";
    const { listener } = listen({ connectionString: nowhere.href });
    const started = listener.start();
    await listener.stop();
    await started;
    expect(listener.state).toBe("stopped");
  });
});
