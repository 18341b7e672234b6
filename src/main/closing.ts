import type { Logger } from "../log.ts";

/** What must be undone at the end. */
export interface Closing {
  /** Registers what undoes something that was just started. */
  add(close: () => Promise<unknown> | unknown): void;
  /** Undoes everything, the last first. What fails is logged, and the rest is undone all the same. Idempotent. */
  closeAll(): Promise<void>;
}

export function createClosing(log: Pick<Logger, "error">): Closing {
  const closers: (() => Promise<unknown> | unknown)[] = [];
  let closing: Promise<void> | undefined;

  async function run(): Promise<void> {
    for (const close of closers.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        log.error({ err: error }, "a part did not stop cleanly");
      }
    }
  }

  return {
    add: (close) => void closers.push(close),
    closeAll() {
      closing ??= run();
      return closing;
    },
  };
}
