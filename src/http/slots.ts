import type { SignedIn } from "./call.ts";

/** Limits the open connections and streams of a principal, together. */
export interface Slots {
  /** Takes a slot; undefined when all are taken. Returns a function that releases it; further calls do nothing. */
  take(signedIn: SignedIn): (() => void) | undefined;
}

export function createSlots(perPrincipal: number): Slots {
  const taken = new Map<string, number>();
  return {
    take({ principal }) {
      const key = `${principal.organization}/${principal.id}`;
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
