import type { SignedIn } from "./call.ts";

/**
 * Limits the open connections and streams of a principal, together. An agent is another one for each person it acts for: those
 * of one person do not take the place of another's.
 */
export interface Slots {
  /** Takes a slot; undefined when all are taken. Returns a function that releases it; further calls do nothing. */
  take(signedIn: SignedIn): (() => void) | undefined;
}

export function createSlots(perPrincipal: number): Slots {
  const taken = new Map<string, number>();
  return {
    take({ principal }) {
      const { organization, id, onBehalfOf } = principal;
      const key = JSON.stringify([organization, id, onBehalfOf?.id]);
      const count = (taken.get(key) ?? 0) + 1;
      if (count > perPrincipal) return undefined;
      taken.set(key, count);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        const left = (taken.get(key) ?? 1) - 1;
        if (left === 0) taken.delete(key);
        else taken.set(key, left);
      };
    },
  };
}
