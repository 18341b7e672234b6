import type { Authentication } from "./authentication.ts";
import type { AuthenticationError } from "./errors.ts";

/** What a call that stays open, such as a stream, depends on. */
export interface Watched {
  readonly authentication: Authentication;
  /** Called once, when the call must end. */
  readonly onOver: (error: AuthenticationError) => void;
}

/** Watched calls that are looked at again and again; a timer runs only while there are any. */
export interface Watchers<Item extends Watched> {
  add(item: Item): () => void;
  /** Ends the call of `item`, unless it is no longer watched. */
  end(item: Item, error: AuthenticationError): void;
  stop(): void;
}

/**
 * @param milliseconds from the end of a look to the next one
 * @param lookAt looks at all that are watched; must not reject
 */
export function createWatchers<Item extends Watched>(
  milliseconds: number,
  lookAt: (items: readonly Item[]) => Promise<void>,
): Watchers<Item> {
  const items = new Set<Item>();
  let timer: NodeJS.Timeout | undefined;

  function wait(): void {
    if (timer !== undefined || items.size === 0) return;
    timer = setTimeout(() => {
      void lookAt([...items]).finally(() => {
        timer = undefined;
        wait();
      });
    }, milliseconds).unref();
  }

  return {
    add(item) {
      items.add(item);
      wait();
      return () => void items.delete(item);
    },
    end(item, error) {
      if (items.delete(item)) item.onOver(error);
    },
    stop() {
      items.clear();
      clearTimeout(timer);
    },
  };
}
