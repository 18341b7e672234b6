import type { Adapter, AdapterPayload } from "oidc-provider";

/** Storage for an `oidc-provider` that outlives one instance of it: rotating keys makes another. */
export function createAdapter(): ((model: string) => Adapter) & { forget(model: string): void } {
  const stored = new Map<string, AdapterPayload>();
  const adapter = (model: string): Adapter => {
    const key = (id: string) => `${model} ${id}`;
    const ofModel = () => [...stored].filter(([name]) => name.startsWith(`${model} `)).map(([, payload]) => payload);
    return {
      async upsert(id, payload) {
        stored.set(key(id), payload);
      },
      find: async (id) => stored.get(key(id)),
      findByUid: async (uid) => ofModel().find((payload) => payload.uid === uid),
      findByUserCode: async (userCode) => ofModel().find((payload) => payload.userCode === userCode),
      async consume(id) {
        const payload = stored.get(key(id));
        if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000);
      },
      async destroy(id) {
        stored.delete(key(id));
      },
      async revokeByGrantId(grantId) {
        // Of this model alone: a sign-in under way names a grant too, and outlives it.
        for (const [name, payload] of stored) {
          if (name.startsWith(`${model} `) && payload.grantId === grantId) stored.delete(name);
        }
      },
    };
  };
  /** Loses everything of a model. */
  const forget = (model: string) => {
    for (const name of stored.keys()) if (name.startsWith(`${model} `)) stored.delete(name);
  };
  return Object.assign(adapter, { forget });
}
