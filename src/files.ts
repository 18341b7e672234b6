import { open, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds between two attempts to take a lock that somebody holds. */
const LOCK_POLL = 10;
/** SQLite's result code for a lock that somebody else holds. */
const SQLITE_BUSY = 5;

export interface FileLock {
  release(): void;
}

/**
 * Takes the lock of `file`, which is made empty when it is not there and must never be removed; undefined when another
 * process, or another part of this one, holds it.
 *
 * A lock file whose existence is the lock (as in proper-lockfile) has to be removed when its maker has died, and two
 * processes may both find the same old one: the second removes the lock that the first has just taken. The kernel's record
 * locks vanish with their process instead; Node reaches them through SQLite's exclusive transaction on an otherwise empty
 * file. They do not reach across machines.
 */
export function tryLock(file: string): FileLock | undefined {
  const lock = new DatabaseSync(file);
  try {
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
  return {
    release() {
      if (lock.isOpen) lock.close();
    },
  };
}

/** Does `work` while nobody else holds the lock of `file`. */
export async function locked<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  let lock = tryLock(file);
  while (lock === undefined) {
    await sleep(LOCK_POLL * (0.5 + Math.random()));
    lock = tryLock(file);
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/**
 * Replaces `file`, readable by its owner only, atomically and durably: a reader finds the old text or the new one,
 * also after a power failure. One writer at a time: `<file>.new` is written first.
 *
 * No library is used: write-file-atomic and atomically do not check that all bytes were written (on a full disk a truncated
 * file would replace a complete one), and none makes the directory durable.
 */
export async function replaceDurably(file: string, text: string): Promise<void> {
  const next = `${file}.new`;
  await writeFile(next, text, { mode: 0o600, flush: true });
  await rename(next, file);
  await syncDirectory(path.dirname(file));
}

/** Makes the directory durable: without it, a file that was created, renamed or linked may be lost in a power failure. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
