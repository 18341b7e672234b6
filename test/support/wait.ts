import { setTimeout as sleep } from "node:timers/promises";

/** Resolves once `condition` holds; rejects when it still does not after `milliseconds`. */
export async function waitUntil(condition: () => boolean | Promise<boolean>, milliseconds = 30_000): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Still not so after ${milliseconds} ms: ${condition.toString()}`);
    await sleep(10);
  }
}
