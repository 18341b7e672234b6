import { Worker } from "node:worker_threads";
import { parseJson } from "../../../facts/parse-json.ts";
import { createFingerprinter, type Fingerprint, type Fingerprinter } from "./digest.ts";
import { type Place, placesOf } from "./places.ts";
import { type ReadSet, readSetOf } from "./read-set.ts";
import { type Written, writtenOf } from "./written.ts";

/** What the thread is asked: JSON as text, which costs little to hand over. */
export interface Question {
  readonly id: number;
  readonly of: "READ" | "WRITE";
  readonly key: Uint8Array;
  readonly json: string;
  /** Set: only where these are is asked for. */
  readonly wanted?: ReadonlySet<Fingerprint> | undefined;
}
export type Reply = { readonly id: number } & (
  | { readonly read: ReadSet }
  | { readonly written: Written }
  | { readonly places: readonly Place[] }
  | { readonly problem: string }
);

/** Makes fingerprints without holding up this thread: what is large goes to another one. */
export interface FingerprintMaker {
  /**
   * The fingerprints of the value of `json`, made with `key`; undefined when it took too long, or there was too much to do: nothing is known
   * of what was read then, which the caller has to say.
   */
  ofRead(key: Uint8Array, json: string): Promise<ReadSet | undefined>;
  /** The same of what is to be written. */
  ofWrite(key: Uint8Array, json: string): Promise<Written | undefined>;
  /** Where values with these fingerprints are in what was read, or is to be written; undefined as above. */
  places(
    key: Uint8Array,
    json: string,
    of: "READ" | "WRITE",
    wanted: ReadonlySet<Fingerprint>,
  ): Promise<readonly Place[] | undefined>;
  /** Ends the thread. */
  close(): Promise<void>;
}

export interface FingerprintMakerOptions {
  /** Milliseconds for one value, those that it waits for others included. */
  readonly maxMs?: number;
}

/** Characters of JSON up to which it takes a few milliseconds. */
const SMALL_READ = 4 * 1024;
const SMALL_WRITE = 2 * 1024;
const MAX_MS = 10_000;
/** Characters of JSON that wait at most: beyond them, nothing is taken until there is room. */
const MAX_WAITING = 32 * 1024 * 1024;
const MEGABYTES = 256;
const FILE = new URL("apart-thread.ts", import.meta.url);

interface Waiting {
  readonly length: number;
  readonly resolve: (reply: Reply | undefined) => void;
  readonly timer: NodeJS.Timeout;
}

export function createFingerprintMaker({ maxMs = MAX_MS }: FingerprintMakerOptions = {}): FingerprintMaker {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let last = 0;
  let waitingLength = 0;

  /** Nobody gets a reply of this thread any more; the next question starts another. */
  function giveUp(ended: Worker): void {
    if (worker !== ended) return;
    worker = undefined;
    void ended.terminate();
    for (const id of [...waiting.keys()]) settle(id, undefined);
  }

  function settle(id: number, reply: Reply | undefined): void {
    const one = waiting.get(id);
    if (one === undefined) return;
    waiting.delete(id);
    waitingLength -= one.length;
    clearTimeout(one.timer);
    one.resolve(reply);
    if (waiting.size === 0) worker?.unref();
  }

  function start(): Worker {
    const thread = new Worker(FILE, { resourceLimits: { maxOldGenerationSizeMb: MEGABYTES } });
    thread.on("message", (reply: Reply) => settle(reply.id, reply));
    thread.on("error", () => giveUp(thread));
    thread.on("exit", () => giveUp(thread));
    return thread;
  }

  function ask(asked: Omit<Question, "id">): Promise<Reply | undefined> {
    const { json } = asked;
    if (waitingLength + json.length > MAX_WAITING) return Promise.resolve(undefined);
    worker ??= start();
    const thread = worker;
    thread.ref();
    return new Promise((resolve) => {
      const timer = setTimeout(() => giveUp(thread), maxMs);
      last += 1;
      waiting.set(last, { length: json.length, resolve, timer });
      waitingLength += json.length;
      thread.postMessage({ id: last, ...asked } satisfies Question);
    });
  }

  return {
    async ofRead(key, json) {
      if (json.length <= SMALL_READ) return readSetOf(parseJson(json), Buffer.byteLength(json), fingerprinterOf(key));
      const reply = await ask({ of: "READ", key, json });
      return reply !== undefined && "read" in reply ? reply.read : undefined;
    },
    async ofWrite(key, json) {
      if (json.length <= SMALL_WRITE) return writtenOf(parseJson(json), fingerprinterOf(key));
      const reply = await ask({ of: "WRITE", key, json });
      return reply !== undefined && "written" in reply ? reply.written : undefined;
    },
    async places(key, json, of, wanted) {
      if (json.length <= (of === "READ" ? SMALL_READ : SMALL_WRITE)) {
        return placesOf(parseJson(json), fingerprinterOf(key), of === "WRITE", wanted);
      }
      const reply = await ask({ of, key, json, wanted });
      return reply !== undefined && "places" in reply ? reply.places : undefined;
    },
    async close() {
      const thread = worker;
      if (thread === undefined) return;
      giveUp(thread);
      await thread.terminate();
    },
  };
}

const made = new WeakMap<Uint8Array, Fingerprinter>();

/** The same one for the same key. */
function fingerprinterOf(key: Uint8Array): Fingerprinter {
  const known = made.get(key) ?? createFingerprinter(key);
  made.set(key, known);
  return known;
}
