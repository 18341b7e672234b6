import type { LedgerEntry } from "../../facts/entry.ts";
import { factOf } from "../../facts/told.ts";
import type { Principal } from "../identity/principal.ts";
import { actorOf } from "../identity/recorded.ts";

/** Personal values of a principal, erasable. */
export interface Profile {
  readonly displayName?: string;
  readonly email?: string;
}

/** What `entry` says of `id`, who acted in it or was acted for. */
export function snapshotOf(entry: LedgerEntry, id: string): Principal | undefined {
  const actor = actorOf(entry);
  return actor.id === id ? actor : actor.onBehalfOf;
}

/** What the latest entry about a principal says of it: every one repeats the profile, as far as it was not erased. */
export function recordedProfile(entry: LedgerEntry, id: string): Profile {
  const fact = factOf(entry);
  const { displayName, email } = ("subject" in fact && fact.subject.id === id ? fact.subject.profile : undefined) ?? {};
  return {
    ...(displayName === undefined ? {} : { displayName }),
    ...(email === undefined ? {} : { email }),
  };
}
