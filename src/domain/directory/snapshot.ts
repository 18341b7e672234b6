import { factOf } from "../../facts/decode.ts";
import type { LedgerEntry } from "../../facts/entry.ts";
import type { Principal } from "../identity/principal.ts";
import { actorOf } from "../identity/recorded.ts";

/** Personal values of a principal, erasable. */
export interface Profile {
  readonly displayName?: string;
  readonly email?: string;
}

/** The snapshot of `id`, the actor or the person acted for, in `entry`. */
export function snapshotOf(entry: LedgerEntry, id: string): Principal | undefined {
  const actor = actorOf(entry);
  return actor.id === id ? actor : actor.onBehalfOf;
}

/** The profile in the latest entry about a principal: each entry repeats the profile, unless it was erased. */
export function recordedProfile(entry: LedgerEntry, id: string): Profile {
  const fact = factOf(entry);
  const { displayName, email } = ("subject" in fact && fact.subject.id === id ? fact.subject.profile : undefined) ?? {};
  return {
    ...(displayName === undefined ? {} : { displayName }),
    ...(email === undefined ? {} : { email }),
  };
}
