import DataLoader from "dataloader";
import type { Context } from "./context.ts";

/** Something that is made once for each operation. */
export function perOperation<Value>(make: (context: Context) => Value): (context: Context) => Value {
  const made = new WeakMap<Context, { readonly value: Value }>();
  return (context) => {
    let one = made.get(context);
    if (one === undefined) {
      one = { value: make(context) };
      made.set(context, one);
    }
    return one.value;
  };
}

/**
 * Loads one key in an operation. Keys requested in the same turn of the event loop share a call of `load`, which gets each
 * once. In a snapshot results are cached; elsewhere they can change and are loaded again.
 */
export function createLoader<Key, Value>(
  load: (context: Context, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): (context: Context, key: Key) => Promise<Value | undefined> {
  const loaders = perOperation(
    (context) =>
      new DataLoader<Key, Value | undefined>(
        async (keys) => {
          const found = await load(context, [...new Set(keys)]);
          return keys.map((key) => found.get(key));
        },
        { cache: context.snapshot !== undefined, batchScheduleFn: setImmediate },
      ),
  );
  return (context, key) => loaders(context).load(key);
}
