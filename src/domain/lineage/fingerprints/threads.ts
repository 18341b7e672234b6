import { Worker } from "node:worker_threads";
import type { Question, Reply } from "./apart.ts";

/** Threads that reply to one question at a time. */
export interface Threads {
  /** undefined when it took too long, failed, or its ledger has too much waiting already. */
  ask(question: Question): Promise<Reply | undefined>;
  close(): Promise<void>;
}

/** With two, one ledger never holds up the others: it has one at a time. */
const THREADS = 2;
const MEGABYTES = 512;
/** Characters of JSON that may wait, of one ledger and of all: beyond them, nothing is taken until there is room. */
const MOST_OF_ONE = 16 * 1024 * 1024;
const MOST = 128 * 1024 * 1024;
/** Milliseconds that a thread has to start. */
const START_MS = 60_000;
const FILE = new URL("apart-thread.ts", import.meta.url);

interface Job extends Question {
  readonly resolve: (reply: Reply | undefined) => void;
}

interface Thread {
  readonly worker: Worker;
  isReady: boolean;
  job: Job | undefined;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Ledgers take turns, whatever they have waiting. `maxMs`: how long a thread may take for a question, from when it begins; only that question fails then.
 * The thread ends with it, because nothing else stops it.
 */
export function createThreads(maxMs: number): Threads {
  /** What waits, by the key of the ledger, the ledger whose turn is next first. */
  const waiting = new Map<string, Job[]>();
  const lengths = new Map<string, number>();
  const busy = new Set<string>();
  const threads = new Set<Thread>();
  let length = 0;

  function settle(thread: Thread, reply: Reply | undefined): void {
    const { job } = thread;
    clearTimeout(thread.timer);
    thread.job = undefined;
    if (job === undefined) return;
    thread.worker.unref();
    const name = nameOf(job);
    busy.delete(name);
    length -= job.json.length;
    const left = (lengths.get(name) ?? 0) - job.json.length;
    if (left > 0) lengths.set(name, left);
    else lengths.delete(name);
    job.resolve(reply);
  }

  function end(thread: Thread): void {
    if (!threads.delete(thread)) return;
    void thread.worker.terminate();
    settle(thread, undefined);
    next();
  }

  function start(): Thread {
    const worker = new Worker(FILE, { resourceLimits: { maxOldGenerationSizeMb: MEGABYTES } });
    const thread: Thread = { worker, isReady: false, job: undefined, timer: undefined };
    threads.add(thread);
    worker.on("message", (message: Reply | "READY") => {
      if (message === "READY") {
        thread.isReady = true;
        if (thread.job !== undefined) limit(thread);
        return;
      }
      settle(thread, message);
      next();
    });
    worker.on("error", () => end(thread));
    worker.on("exit", () => end(thread));
    return thread;
  }

  function limit(thread: Thread): void {
    clearTimeout(thread.timer);
    thread.timer = setTimeout(() => end(thread), thread.isReady ? maxMs : START_MS);
  }

  /** Gives each thread that has nothing to do the next question of a ledger that no other thread works for. */
  function next(): void {
    for (;;) {
      const name = [...waiting.keys()].find((one) => !busy.has(one));
      if (name === undefined) return;
      const free = [...threads].find(({ job }) => job === undefined);
      if (free === undefined && threads.size >= THREADS) return;
      const thread = free ?? start();
      const jobs = waiting.get(name) ?? [];
      const job = jobs.shift();
      waiting.delete(name);
      if (jobs.length > 0) waiting.set(name, jobs);
      if (job === undefined) continue;
      busy.add(name);
      thread.job = job;
      thread.worker.ref();
      limit(thread);
      const { of, key, json } = job;
      thread.worker.postMessage({ of, key, json } satisfies Question);
    }
  }

  return {
    ask(question) {
      const name = nameOf(question);
      const own = (lengths.get(name) ?? 0) + question.json.length;
      // One question is always taken, however long it is.
      if ((lengths.has(name) && own > MOST_OF_ONE) || length + question.json.length > MOST) {
        return Promise.resolve(undefined);
      }
      lengths.set(name, own);
      length += question.json.length;
      return new Promise((resolve) => {
        const jobs = waiting.get(name) ?? [];
        jobs.push({ ...question, resolve });
        waiting.set(name, jobs);
        next();
      });
    },
    async close() {
      for (const job of [...waiting.values()].flat()) job.resolve(undefined);
      waiting.clear();
      const ended = [...threads].map(({ worker }) => worker.terminate());
      for (const thread of [...threads]) end(thread);
      await Promise.all(ended);
    },
  };
}

const nameOf = ({ key }: Question) => Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
