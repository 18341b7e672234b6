import { type Folding, foldedAddress, NO_FOLDING } from "./addresses.ts";
import type { Principal } from "./principal.ts";

/** The humans that `principal` acts for: itself if it is human, and everyone in its chain of `onBehalfOf`. */
export function peopleBehind(principal: Principal): readonly Principal[] {
  const people: Principal[] = [];
  for (let at: Principal | undefined = principal; at !== undefined; at = at.onBehalfOf) {
    if (at.kind === "HUMAN") people.push(at);
  }
  return people;
}

/** Whether two accounts are of one human. UNKNOWN: nobody can tell from what is known of them. */
export type Comparison = "SAME" | "DIFFERENT" | "UNKNOWN";

/** An e-mail address of a person. */
export interface Address {
  readonly email: string;
  /** Whether the person was proven to be reached at it, as who signed them in says. */
  readonly isVerified: boolean;
}

/** Compares people by all that is known of them. */
export interface People {
  /**
   * SAME if one human is behind both: an id, or an address in any spelling, that both have. DIFFERENT if for each two of those behind
   * them verified addresses are known, and none that both have, and where nobody is behind one of them. Else UNKNOWN.
   */
  compare(one: Principal, other: Principal): Comparison;
}

/** Further addresses that are known of the person with an id, beside those that a principal has with it. */
export type KnownAddresses = (id: string) => readonly Address[];

/** `foldings`: two addresses are one mailbox if any of these says so. */
export function createPeople(known: KnownAddresses, foldings: readonly Folding[]): People {
  const mailboxes = (person: Principal) => mailboxesOf([...addressOf(person), ...known(person.id)], foldings);
  return {
    compare(one, other) {
      const others = peopleBehind(other).map((person) => ({ id: person.id, boxes: mailboxes(person) }));
      let found: Comparison = "DIFFERENT";
      for (const person of others.length === 0 ? [] : peopleBehind(one)) {
        const boxes = mailboxes(person);
        for (const candidate of others) {
          if (person.id === candidate.id || isShared(boxes.all, candidate.boxes.all)) return "SAME";
          if (!(boxes.hasVerified && candidate.boxes.hasVerified)) found = "UNKNOWN";
        }
      }
      return found;
    },
  };
}

/** By what the two principals have with them, and by spellings that are one mailbox everywhere. */
export const PEOPLE_AS_TOLD: People = createPeople(() => [], [NO_FOLDING]);

/** Whether one human is known to be behind both, by id or address: a second account of the same person is the same person. */
export function sharePerson(one: Principal, other: Principal): boolean {
  return PEOPLE_AS_TOLD.compare(one, other) === "SAME";
}

interface Mailboxes {
  readonly all: ReadonlySet<string>;
  readonly hasVerified: boolean;
}

function mailboxesOf(addresses: readonly Address[], foldings: readonly Folding[]): Mailboxes {
  const all = new Set<string>();
  let hasVerified = false;
  for (const { email, isVerified } of addresses) {
    const spellings = foldings.flatMap((folding) => foldedAddress(email, folding) ?? []);
    // What is no address can be the same text, and proves nothing more.
    if (spellings.length === 0) all.add(`text ${email.normalize("NFKC").trim().toLowerCase()}`);
    for (const mailbox of spellings) all.add(mailbox);
    if (spellings.length > 0 && isVerified) hasVerified = true;
  }
  return { all, hasVerified };
}

function isShared(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  for (const item of one) if (other.has(item)) return true;
  return false;
}

/** The address that comes with a principal, if one does. */
export function addressOf({
  email,
  emailVerified = false,
}: Pick<Principal, "email" | "emailVerified">): readonly Address[] {
  return email === undefined ? [] : [{ email, isVerified: emailVerified }];
}

/** Whether both are the same caller: the same account acting for the same one, all the way. */
export function sameCaller(one: Principal | undefined, other: Principal | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.id === other.id && one.kind === other.kind && sameCaller(one.onBehalfOf, other.onBehalfOf);
}
