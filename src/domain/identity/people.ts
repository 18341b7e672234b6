import { domainToASCII } from "node:url";
import type { Principal } from "./principal.ts";

/** The humans that `principal` acts for: itself if it is human, and everyone in its chain of `onBehalfOf`. */
export function peopleBehind(principal: Principal): readonly Principal[] {
  const people: Principal[] = [];
  for (let at: Principal | undefined = principal; at !== undefined; at = at.onBehalfOf) {
    if (at.kind === "HUMAN") people.push(at);
  }
  return people;
}

/**
 * Whether one human is behind both, by id or by e-mail address: a second account of the same person is still the same
 * person.
 */
export function sharePerson(one: Principal, other: Principal): boolean {
  const others = peopleBehind(other);
  return peopleBehind(one).some((person) => others.some((candidate) => samePerson(person, candidate)));
}

function samePerson(one: Principal, other: Principal): boolean {
  if (one.id === other.id) return true;
  return one.email !== undefined && other.email !== undefined && folded(one.email) === folded(other.email);
}

/** An address as everybody would read it: without case, width, ligatures, and whether its domain is spelt in ASCII. */
function folded(email: string): string {
  const text = email.normalize("NFKC").trim().toUpperCase().toLowerCase().normalize("NFKC");
  const at = text.lastIndexOf("@");
  const domain = text.slice(at + 1).replace(/\.$/, "");
  return `${text.slice(0, at + 1)}${domainToASCII(domain) || domain}`;
}

/** Whether both are the same caller: the same account acting for the same one, all the way. */
export function sameCaller(one: Principal | undefined, other: Principal | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.id === other.id && one.kind === other.kind && sameCaller(one.onBehalfOf, other.onBehalfOf);
}
