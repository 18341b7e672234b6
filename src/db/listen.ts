import { setTimeout as sleep } from "node:timers/promises";
import { Client, escapeIdentifier } from "pg";
import type { Log } from "./log.ts";
import { prepareSession, serverRole } from "./session.ts";

const connectTimeout = 5_000;
const shortestPause = 100;
const longestPause = 10_000;

export interface ListenerOptions {
  readonly connectionString: string;
  /** SQL without parameters that finds the name of the channel, in its one row and column; asked on each new connection. */
  readonly channel: string;
  readonly role?: string;
  readonly log: Log;
  readonly onNotify: (payload: string) => void;
  /** LISTEN is in effect again after a break in which notifications may have been missed: read the table. */
  readonly onReconnect: () => void;
  /** Milliseconds between two proofs that the connection lives. */
  readonly heartbeatIntervalMs?: number;
  /** Milliseconds such a proof may take. */
  readonly heartbeatTimeoutMs?: number;
}

export type ListenerState = "stopped" | "connecting" | "listening";

/** A wake-up, never a source of truth: PostgreSQL forgets what it could not deliver. */
export interface Listener {
  readonly state: ListenerState;
  /** Resolves when the channel is listened to for the first time, or the listener was stopped before. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** `attempt` counts from 0. Between half and all of the exponential pause, so that servers do not return in step. */
function pause(attempt: number): number {
  const full = Math.min(shortestPause * 2 ** attempt, longestPause);
  return full * (0.5 + Math.random() / 2);
}

class ReconnectingListener implements Listener {
  readonly #options: Required<ListenerOptions>;
  #state: ListenerState = "stopped";
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: Required<ListenerOptions>) {
    this.#options = options;
  }

  get state(): ListenerState {
    return this.#state;
  }

  start(): Promise<void> {
    if (this.#state !== "stopped") throw new Error("The listener is running already.");
    this.#stop = new AbortController();
    this.#state = "connecting";
    return new Promise((resolve) => {
      this.#running = this.#run(this.#stop.signal, resolve).finally(() => {
        this.#state = "stopped";
        resolve();
      });
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(stop: AbortSignal, onFirst: () => void): Promise<void> {
    const { log, onReconnect } = this.#options;
    for (let attempt = 0, missed = false; !stop.aborted; ) {
      this.#state = "connecting";
      try {
        await this.#session(stop, () => {
          this.#state = "listening";
          attempt = 0;
          onFirst();
          if (missed) onReconnect();
        });
      } catch (error) {
        if (stop.aborted) return;
        const wait = pause(attempt);
        log.warn({ err: error, wait }, "lost the notification channel, connecting again");
        attempt += 1;
        missed = true;
        await sleep(wait, undefined, { signal: stop }).catch(() => undefined);
      }
    }
  }

  /** Listens on one connection until stopped; rejects when the connection is lost. */
  async #session(stop: AbortSignal, onListening: () => void): Promise<void> {
    const { connectionString, channel, role, log, onNotify, heartbeatIntervalMs, heartbeatTimeoutMs } = this.#options;
    const client = new Client({
      connectionString,
      application_name: "countersign-listen",
      connectionTimeoutMillis: connectTimeout,
      query_timeout: heartbeatTimeoutMs,
      keepAlive: true,
    });
    const broken = new AbortController();
    client.on("error", (error) => broken.abort(error));
    client.on("end", () => broken.abort(new Error("The connection was closed.")));
    client.on("notification", ({ payload = "" }) => {
      try {
        onNotify(payload);
      } catch (error) {
        // Anybody with a connection can notify; an exception here would end the process.
        log.warn({ err: error }, "a notification could not be taken in");
      }
    });
    const either = AbortSignal.any([stop, broken.signal]);
    try {
      await client.connect();
      await prepareSession(client, { role, statementTimeoutMs: heartbeatTimeoutMs, idleInTransactionTimeoutMs: 0 });
      const { rows } = await client.query<[unknown]>({ text: channel, rowMode: "array" });
      const name = rows[0]?.[0];
      if (typeof name !== "string") throw new Error("The database does not say on which channel to listen.");
      await client.query(`LISTEN ${escapeIdentifier(name)}`);
      if (stop.aborted) return;
      onListening();
      while (!stop.aborted) {
        await sleep(heartbeatIntervalMs, undefined, { signal: either }).catch(() => undefined);
        broken.signal.throwIfAborted();
        if (!stop.aborted) await client.query("SELECT 1");
      }
    } finally {
      // Closed gracefully if possible; not awaited, because end() would wait for the response of a stalled connection.
      await Promise.race([client.end().catch(() => undefined), sleep(heartbeatTimeoutMs, undefined, { ref: false })]);
    }
  }
}

/** Follows one NOTIFY channel on its own connection, and reconnects when the connection is lost. */
export function createListener(options: ListenerOptions): Listener {
  return new ReconnectingListener({
    role: serverRole,
    heartbeatIntervalMs: 10_000,
    heartbeatTimeoutMs: 5_000,
    ...options,
  });
}
