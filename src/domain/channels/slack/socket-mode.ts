import { setTimeout as pause } from "node:timers/promises";
import { WebSocket } from "ws";
import { z } from "zod";
import type { Logger } from "../../../log.ts";
import { DeliveryError } from "../driver.ts";
import { jsonOf } from "./json.ts";

/** Socket Mode (https://docs.slack.dev/apis/events-api/using-socket-mode): interactions come by a connection that this server opens. */

/** Milliseconds. */
export interface SocketTimes {
  /** How long a connection may take until Slack says hello. */
  readonly hello: number;
  readonly ping: number;
  /** How long a connection may be silent, with pings, until it is ended. */
  readonly silence: number;
  /** The first wait after a connection that failed; each further one is twice as long. */
  readonly backOff: number;
  readonly longestBackOff: number;
  /** After a connection that lasted as long as this there is no wait. */
  readonly stable: number;
  /** How long what was begun on a connection may take when it is replaced or ended. */
  readonly finish: number;
}

export const SOCKET_TIMES: SocketTimes = {
  hello: 10_000,
  ping: 10_000,
  silence: 30_000,
  backOff: 500,
  longestBackOff: 60_000,
  stable: 10_000,
  finish: 3_000,
};

/** Bytes of a message. */
const MAX_MESSAGE = 262_144;
/** Envelopes under way on one connection; beyond that nothing is read of it. */
const MAX_UNDER_WAY = 32;

const received = z.object({
  type: z.string().max(100),
  envelope_id: z.string().max(200).optional(),
  reason: z.string().max(200).optional(),
  payload: z.unknown().optional(),
});

export interface SocketOptions {
  /** Asks Slack for the address of a connection. Throws DeliveryError. */
  readonly open: (signal: AbortSignal) => Promise<string>;
  /** What an interaction is responded with; undefined: it is acknowledged alone. Never throws. */
  readonly handle: (payload: unknown) => Promise<object | undefined>;
  readonly signal: AbortSignal;
  readonly log: Pick<Logger, "info" | "warn">;
  /** What each line of the log has of the channel. */
  readonly about: object;
  readonly times?: SocketTimes;
}

/** Milliseconds to wait after so many failures: half of it always, so that servers do not come back at the same time. `random`: from 0 to 1. */
export function backOff(failures: number, { backOff: first, longestBackOff }: SocketTimes, random: number): number {
  if (failures === 0) return 0;
  const most = Math.min(first * 2 ** Math.min(failures - 1, 30), longestBackOff);
  return (most / 2) * (1 + random);
}

/** Keeps a connection open until the signal aborts. */
export async function stayConnected(options: SocketOptions): Promise<void> {
  const { open, signal, log, about, times = SOCKET_TIMES } = options;
  const ending = new Set<Promise<void>>();
  let failures = 0;
  while (!signal.aborted) {
    let least = 0;
    try {
      const connection = connect(await open(signal), { ...options, times });
      ending.add(connection.ended);
      void connection.ended.then(() => ending.delete(connection.ended));
      const lasted = await connection.replaced;
      failures = lasted >= times.stable ? 0 : failures + 1;
    } catch (error) {
      if (signal.aborted) break;
      failures += 1;
      least = (error instanceof DeliveryError ? error.retryAfter : undefined) ?? 0;
      log.warn({ ...about, err: error, failures }, "Slack could not be connected to");
    }
    const wait = Math.max(least, backOff(failures, times, Math.random()));
    await pause(wait, undefined, { signal }).catch(() => undefined);
  }
  await Promise.all(ending);
}

interface Connection {
  /** Milliseconds since Slack said hello, 0 if it did not, once there has to be another connection. */
  readonly replaced: Promise<number>;
  readonly ended: Promise<void>;
}

function connect(
  url: string,
  { handle, signal, log, about, times }: SocketOptions & { readonly times: SocketTimes },
): Connection {
  const socket = new WebSocket(url, {
    maxPayload: MAX_MESSAGE,
    handshakeTimeout: times.hello,
    perMessageDeflate: false,
    followRedirects: false,
  });
  const replaced = Promise.withResolvers<number>();
  const ended = Promise.withResolvers<void>();
  const underWay = new Set<Promise<void>>();
  let saidHelloAt: number | undefined;
  let lastSign = performance.now();
  let isEnding = false;

  const noHello = setTimeout(() => socket.terminate(), times.hello);
  const liveness = setInterval(() => {
    if (performance.now() - lastSign > times.silence) socket.terminate();
    else if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, times.ping);

  /** Takes nothing more, and closes once what was begun is acknowledged. */
  function end(): void {
    if (isEnding) return;
    isEnding = true;
    replaced.resolve(saidHelloAt === undefined ? 0 : performance.now() - saidHelloAt);
    const timer = setTimeout(() => socket.terminate(), times.finish);
    ended.promise.then(() => clearTimeout(timer));
    void Promise.all(underWay).then(() => socket.close(1000));
  }

  async function acknowledge(envelope: string, isInteractive: boolean, payload: unknown): Promise<void> {
    const response = isInteractive ? await handle(payload) : undefined;
    if (socket.readyState !== WebSocket.OPEN) return;
    const body = response === undefined ? { envelope_id: envelope } : { envelope_id: envelope, payload: response };
    socket.send(JSON.stringify(body));
  }

  function take(text: string): void {
    const { success, data } = received.safeParse(jsonOf(text));
    if (!success) {
      socket.terminate();
      return;
    }
    const { type, envelope_id, reason, payload } = data;
    if (type === "hello") {
      clearTimeout(noHello);
      saidHelloAt ??= performance.now();
      log.info(about, "connected to Slack");
    } else if (type === "disconnect") {
      log.info({ ...about, reason }, "Slack asks for another connection");
      end();
    } else if (envelope_id !== undefined && !isEnding) {
      const work = acknowledge(envelope_id, type === "interactive", payload).catch((error: unknown) => {
        log.warn({ ...about, err: error }, "an envelope of Slack was not acknowledged");
      });
      underWay.add(work);
      if (underWay.size >= MAX_UNDER_WAY) socket.pause();
      void work.finally(() => {
        underWay.delete(work);
        if (socket.isPaused) socket.resume();
      });
    }
  }

  socket.on("message", (data, isBinary) => {
    isAlive();
    if (isBinary) socket.terminate();
    else take(data.toString());
  });
  const isAlive = () => {
    lastSign = performance.now();
  };
  socket.on("ping", isAlive);
  socket.on("pong", isAlive);
  // A close follows every error.
  socket.on("error", (error) => log.warn({ ...about, err: error }, "the connection to Slack failed"));
  socket.on("close", () => {
    clearTimeout(noHello);
    clearInterval(liveness);
    signal.removeEventListener("abort", end);
    replaced.resolve(saidHelloAt === undefined ? 0 : performance.now() - saidHelloAt);
    ended.resolve();
  });
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  return { replaced: replaced.promise, ended: ended.promise };
}
