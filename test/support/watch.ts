import path from "node:path";
import type { Pool } from "pg";
import { createHeadStore } from "../../src/ledger/heads.ts";
import { createProblemStore } from "../../src/ledger/watch/problem-store.ts";
import { createWatch, type Watch, type WatchOptions } from "../../src/ledger/watch/watch.ts";
import { FACT_KEYS } from "./fact-keys.ts";
import { isSigned } from "./ledgers.ts";

/** A watcher that is not started: it looks at a ledger when it is asked. Errors are thrown. */
export function createTestWatch(pool: Pool, directory: string, options: Partial<WatchOptions> = {}): Watch {
  const onError = (error: Error) => {
    throw error;
  };
  const standing = async () => [];
  return createWatch({
    pool,
    patientPool: pool,
    heads: createHeadStore({ directory, standing, onError, onNotCompared: onError, onContradiction: () => undefined }),
    problemStore: createProblemStore(path.join(directory, "problems")),
    guardExceptions: {},
    keys: () => FACT_KEYS,
    isSigned,
    stops: true,
    share: 1,
    tailIntervalMs: 60_000,
    wholeIntervalMs: 60_000,
    onFound: () => undefined,
    onAcknowledged: () => undefined,
    onError,
    ...options,
  });
}
