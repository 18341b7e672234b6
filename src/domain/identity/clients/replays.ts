/** The nonces of signatures that are still alive: the second signature with one nonce is a copy of the first. */
export interface Replays {
  /** Stores `nonce` of `key` until `until` (seconds since the epoch). Returns whether it was new. */
  admit(key: string, nonce: string, until: number, now: number): boolean;
}

interface Seen {
  readonly until: Map<string, number>;
  /** When the dead were last removed. */
  swept: number;
}

/** Per key, so that a busy one takes no room from another. */
const MAX_PER_KEY = 200_000;

/**
 * A memory of at most `capacity` nonces per key. When it is full of live ones, the key's new signatures are refused:
 * forgetting an old one would let its copy in.
 */
export function createReplays(capacity = MAX_PER_KEY): Replays {
  const keys = new Map<string, Seen>();
  return {
    admit(key, nonce, until, now) {
      const seen = keys.get(key) ?? { until: new Map<string, number>(), swept: now };
      keys.set(key, seen);
      const alive = seen.until.get(nonce);
      if (alive !== undefined && alive >= now) return false;
      if (seen.until.size >= capacity && seen.swept < now) {
        for (const [old, end] of seen.until) if (end < now) seen.until.delete(old);
        seen.swept = now;
      }
      if (seen.until.size >= capacity) return false;
      seen.until.set(nonce, until);
      return true;
    },
  };
}
