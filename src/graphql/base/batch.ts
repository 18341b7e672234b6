/** Loads one key; what is asked for until the event loop comes around again shares a call. Nothing is remembered. */
export type Batch<Key, Value> = (key: Key) => Promise<Value | undefined>;

export function createBatch<Key, Value>(
  load: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): Batch<Key, Value> {
  let keys = new Set<Key>();
  let loading: Promise<ReadonlyMap<Key, Value>> | undefined;

  const run = async (): Promise<ReadonlyMap<Key, Value>> => {
    await new Promise((resolve) => setImmediate(resolve));
    const asked = [...keys];
    keys = new Set();
    loading = undefined;
    return load(asked);
  };

  return async (key) => {
    keys.add(key);
    loading ??= run();
    return (await loading).get(key);
  };
}
