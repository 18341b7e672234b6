/** What was sent to a channel and is being recorded, while the next is sent: what is recorded at the same time shares a transaction. */
export interface InFlight {
  /** The actions of what is not recorded yet. */
  readonly actions: readonly string[];
  /** Waits where too much is not recorded yet. Throws what recording an earlier one met. */
  add(actionId: string, recording: Promise<void>): Promise<void>;
  /** Waits for all. Throws what recording one of them met. */
  settle(): Promise<void>;
}

/** Messages that may be sent and not recorded: a server that is killed has as many sent again. */
const MAX = 8;

export function createInFlight(): InFlight {
  const under = new Map<string, Promise<void>>();
  let failure: { readonly error: unknown } | undefined;

  function check(): void {
    if (failure !== undefined) throw failure.error;
  }

  return {
    get actions() {
      return [...under.keys()];
    },
    async add(actionId, recording) {
      const done = recording
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => under.delete(actionId));
      under.set(actionId, done);
      while (under.size >= MAX) await Promise.race(under.values());
      check();
    },
    async settle() {
      await Promise.all(under.values());
      check();
    },
  };
}
