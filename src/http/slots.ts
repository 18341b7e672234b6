import { peopleBehind } from "../domain/identity/people.ts";
import type { SignedIn } from "./call.ts";
import type { Reader } from "./unread.ts";

/**
 * Limits the open connections and streams together, or the requests that are under way: those of a principal, which an agent is another
 * one of for each person it acts for, and those of a person, with all agents that act for them. Those of one person do not take the
 * place of another's.
 */
export interface Slots {
  /** Takes a slot; undefined when all are taken. Returns a function that releases it; further calls do nothing. */
  take(signedIn: SignedIn): (() => void) | undefined;
}

export interface SlotLimits {
  readonly streamsPerPrincipal: number;
  /** Unlimited when omitted. */
  readonly streamsPerPerson?: number;
}

/** The caller whose streams, requests and unread responses are counted together. */
export function ownerOf({ principal }: Pick<SignedIn, "principal">): string {
  const { organization, id, onBehalfOf } = principal;
  return JSON.stringify([organization, id, onBehalfOf?.id]);
}

/** The same as who reads responses. */
export function readerOf(signedIn: Pick<SignedIn, "principal">): Reader {
  return { organization: signedIn.principal.organization, id: ownerOf(signedIn) };
}

export function createSlots({ streamsPerPrincipal, streamsPerPerson = Number.POSITIVE_INFINITY }: SlotLimits): Slots {
  const taken = new Map<string, number>();

  function release(key: string): void {
    const left = (taken.get(key) ?? 1) - 1;
    if (left === 0) taken.delete(key);
    else taken.set(key, left);
  }

  return {
    take({ principal }) {
      const { organization } = principal;
      const limits = new Map([[ownerOf({ principal }), streamsPerPrincipal]]);
      for (const person of peopleBehind(principal)) {
        limits.set(JSON.stringify(["person", organization, person.id]), streamsPerPerson);
      }
      if ([...limits].some(([key, most]) => (taken.get(key) ?? 0) >= most)) return undefined;
      for (const key of limits.keys()) taken.set(key, (taken.get(key) ?? 0) + 1);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        for (const key of limits.keys()) release(key);
      };
    },
  };
}
