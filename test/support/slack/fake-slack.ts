import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { type Interaction, press, respondTo, signed, submit } from "./interactions.ts";
import { createWorkspace, type OpenView, type SlackMessage, type SlackUser } from "./workspace.ts";

/** What becomes of one call of a method instead of an answer. */
export type Fault =
  | { readonly kind: "RATE_LIMITED"; readonly retryAfter: number }
  /** The method does what it does, and the connection ends without an answer. */
  | { readonly kind: "DROPPED_AFTER" }
  | { readonly kind: "DROPPED_BEFORE" }
  /** Done and answered when the promise is fulfilled. */
  | { readonly kind: "SLOW"; readonly until: Promise<void> }
  /** Done at once, and answered when the promise is fulfilled. */
  | { readonly kind: "SLOW_ANSWER"; readonly until: Promise<void> }
  | { readonly kind: "ERROR"; readonly error: string }
  | { readonly kind: "STATUS"; readonly status: number; readonly body: string };

export interface Call {
  readonly method: string;
  readonly token: string | undefined;
  readonly given: Readonly<Record<string, unknown>>;
}

export interface Delivered {
  readonly status: number;
  readonly body: string;
  /** Milliseconds. */
  readonly took: number;
}

export interface FakeSlackOptions {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** What the app may do. Default: everything. */
  readonly scopes?: readonly string[];
}

/** By the beginning of the name of a method, the scope that it needs. */
const SCOPES = [
  ["chat.", "chat:write"],
  ["users.", "users:read"],
  ["conversations.history", "channels:history"],
] as const;

export type FakeSlack = Awaited<ReturnType<typeof startFakeSlack>>;

async function argumentsOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  if (request.headers["content-type"]?.startsWith("application/json")) return JSON.parse(body);
  return Object.fromEntries(new URLSearchParams(body));
}

/** Slack over its real protocols: the Web API, signed requests to an app, and Socket Mode. One workspace with one app. */
export async function startFakeSlack({ now = Date.now, scopes }: FakeSlackOptions = {}) {
  const workspace = createWorkspace({ teamId: "T0HOME", appId: "A0APP", botUserId: "U0BOT", now });
  const botToken = `xoxb-${randomUUID()}`;
  const appToken = `xapp-${randomUUID()}`;
  const signingSecret = randomBytes(16).toString("hex");
  const calls: Call[] = [];
  const faults = new Map<string, Fault[]>();
  const tickets = new Set<string>();
  const connected = new Set<WebSocket>();
  const acknowledged = new Map<string, (payload: unknown) => void>();
  let isDown = false;
  let requestUrl: string | undefined;

  function result(method: string, token: string | undefined, given: Readonly<Record<string, unknown>>): object {
    if (token === undefined) return { ok: false, error: "not_authed" };
    if (token !== botToken && token !== appToken) return { ok: false, error: "invalid_auth" };
    if ((method === "apps.connections.open") !== (token === appToken)) {
      return { ok: false, error: "not_allowed_token_type" };
    }
    if (token === appToken) {
      const ticket = randomUUID();
      tickets.add(ticket);
      return { ok: true, url: `${url.replace("http:", "ws:")}/link/?ticket=${ticket}&app_id=${workspace.appId}` };
    }
    const needed = SCOPES.find(([beginning]) => method.startsWith(beginning))?.[1];
    if (needed !== undefined && scopes?.includes(needed) === false) return { ok: false, error: "missing_scope" };
    return workspace.methods[method]?.(given) ?? { ok: false, error: "unknown_method" };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, method = ""] = /^\/api\/([\w.]+)$/.exec(request.url ?? "") ?? [];
    const given = await argumentsOf(request);
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    const token = bearer ?? (typeof given.token === "string" ? given.token : undefined);
    calls.push({ method, token, given });
    const fault = faults.get(method)?.shift();
    if (fault?.kind === "DROPPED_BEFORE") return void request.socket.destroy();
    if (fault?.kind === "RATE_LIMITED") {
      response.writeHead(429, { "retry-after": String(fault.retryAfter), "content-type": "application/json" });
      return void response.end(JSON.stringify({ ok: false, error: "ratelimited" }));
    }
    if (fault?.kind === "STATUS") return void response.writeHead(fault.status).end(fault.body);
    if (fault?.kind === "SLOW") await fault.until;
    const answer = fault?.kind === "ERROR" ? { ok: false, error: fault.error } : result(method, token, given);
    if (fault?.kind === "SLOW_ANSWER") await fault.until;
    if (fault?.kind === "DROPPED_AFTER") return void request.socket.destroy();
    response.writeHead(200, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(answer));
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  });
  server.on("connection", (socket) => {
    if (isDown) socket.destroy();
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    const ticket = new URL(request.url ?? "/", url).searchParams.get("ticket") ?? "";
    // The address of a connection is good for one.
    if (!tickets.delete(ticket)) return void socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
    sockets.handleUpgrade(request, socket, head, (link) => {
      connected.add(link);
      link.on("close", () => connected.delete(link));
      link.on("message", (data) => {
        const { envelope_id, payload } = JSON.parse(String(data));
        acknowledged.get(envelope_id)?.(payload);
        acknowledged.delete(envelope_id);
      });
      const connection = { num_connections: connected.size, connection_info: { app_id: workspace.appId } };
      link.send(JSON.stringify({ type: "hello", ...connection, debug_info: { approximate_connection_time: 18_060 } }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function post(target: string, body: string, headers: Readonly<Record<string, string>>): Promise<Delivered> {
    const began = performance.now();
    const response = await fetch(target, { method: "POST", body, headers });
    return { status: response.status, body: await response.text(), took: performance.now() - began };
  }

  /** Through one of the connections; resolves when it is acknowledged. */
  async function send(envelope: object): Promise<Delivered> {
    const [link] = connected;
    if (link === undefined) throw new Error("the app is not connected");
    const envelope_id = randomUUID();
    const began = performance.now();
    const { promise, resolve } = Promise.withResolvers<unknown>();
    acknowledged.set(envelope_id, resolve);
    link.send(JSON.stringify({ envelope_id, ...envelope }));
    const payload = await promise;
    const body = payload === undefined ? "" : JSON.stringify(payload);
    return { status: 200, body, took: performance.now() - began };
  }

  /** To the request address, signed; through a connection where there is none. */
  async function deliver(interaction: Interaction): Promise<Delivered> {
    if (requestUrl === undefined) {
      return send({ type: "interactive", payload: interaction, accepts_response_payload: true });
    }
    const { body, headers } = signed(interaction, signingSecret, Math.floor(now() / 1_000));
    return post(requestUrl, body, headers);
  }

  return {
    ...workspace,
    apiUrl: `${url}/api`,
    botToken,
    appToken,
    signingSecret,
    calls,
    connected,
    deliver,
    send,
    post,
    /** Where interactions are sent from now on. */
    setRequestUrl(target: string) {
      requestUrl = target;
    },
    /** What the next calls of the method meet, one each. */
    fail(method: string, ...next: readonly Fault[]) {
      faults.set(method, [...(faults.get(method) ?? []), ...next]);
    },
    setDown(down: boolean) {
      isDown = down;
      if (down) server.closeAllConnections();
      if (down) for (const link of connected) link.terminate();
    },
    /** Ends every connection without a word. */
    drop() {
      for (const link of connected) link.terminate();
    },
    addUser(id: string, properties: Partial<SlackUser> = {}): string {
      const member = { deleted: false, is_bot: false, is_restricted: false, is_ultra_restricted: false };
      workspace.users.set(id, { id, team_id: workspace.teamId, ...member, ...properties });
      return id;
    },
    /** Messages that everybody in the channel sees. */
    posted: (channel: string) =>
      workspace.messages.filter((one) => one.channel === channel && one.onlyFor === undefined),
    /** Messages that this user alone sees. */
    told: (user: string) => workspace.messages.filter(({ onlyFor }) => onlyFor === user),
    press: (user: string, message: SlackMessage, text: string) => deliver(press(workspace, user, message, text)),
    pressed: (user: string, message: SlackMessage, text: string) => press(workspace, user, message, text),
    submitted: (opened: OpenView, ...texts: readonly string[]) => submit(workspace, opened, texts),
    async submit(opened: OpenView, ...texts: readonly string[]): Promise<Delivered> {
      const delivered = await deliver(submit(workspace, opened, texts));
      if (delivered.status === 200) respondTo(opened, delivered.body);
      return delivered;
    },
    /** Asks every connection to be replaced; Slack ends them soon after. */
    refresh(reason = "refresh_requested") {
      for (const link of connected) link.send(JSON.stringify({ type: "disconnect", reason, debug_info: {} }));
    },
    async close() {
      for (const link of connected) link.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
