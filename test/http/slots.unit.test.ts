import { expect, it } from "vitest";
import type { Principal } from "../../src/domain/identity/principal.ts";
import type { SignedIn } from "../../src/http/call.ts";
import { createSlots } from "../../src/http/slots.ts";

const principal = (id: string, kind: "AGENT" | "HUMAN", onBehalfOf?: Principal): Principal => ({
  id,
  kind,
  organization: "acme",
  roles: [],
  groups: [],
  ...(onBehalfOf === undefined ? {} : { onBehalfOf }),
});
const signedIn = (who: Principal) => ({ principal: who }) as SignedIn;
const mia = principal("mia", "HUMAN");
const noa = principal("noa", "HUMAN");

it("an agent has its streams for each person, and the person others", () => {
  const slots = createSlots({ streamsPerPrincipal: 1, streamsPerPerson: 9 });
  const forMia = slots.take(signedIn(principal("bot", "AGENT", mia)));
  expect(forMia).toBeDefined();
  expect(slots.take(signedIn(principal("bot", "AGENT", mia)))).toBeUndefined();
  for (const other of [principal("bot", "AGENT", noa), principal("bot", "AGENT"), mia]) {
    expect(slots.take(signedIn(other)), JSON.stringify(other)).toBeDefined();
  }
  forMia?.();
  forMia?.();
  expect(slots.take(signedIn(principal("bot", "AGENT", mia)))).toBeDefined();
});

it("a person has a limit with all agents that act for them, which takes nothing from others", () => {
  const slots = createSlots({ streamsPerPrincipal: 2, streamsPerPerson: 3 });
  const agents = ["one", "two", "three"].map((id) => signedIn(principal(id, "AGENT", mia)));
  const taken = agents.map((agent) => slots.take(agent));
  expect(taken.every((release) => release !== undefined)).toBe(true);
  for (const who of [...agents, signedIn(principal("four", "AGENT", mia)), signedIn(mia)]) {
    expect(slots.take(who)).toBeUndefined();
  }
  // Refused attempts took nothing, not even of the agent.
  expect(slots.take(signedIn(principal("one", "AGENT", noa)))).toBeDefined();
  taken[0]?.();
  expect(slots.take(signedIn(mia))).toBeDefined();
  expect(slots.take(signedIn(mia))).toBeUndefined();
});

it("an agent that acts for nobody takes no person's slots, and a person is no agent of the same id", () => {
  const slots = createSlots({ streamsPerPrincipal: 1, streamsPerPerson: 1 });
  expect(slots.take(signedIn(principal("mia", "AGENT")))).toBeDefined();
  expect(slots.take(signedIn(principal("bot", "AGENT", mia)))).toBeDefined();
  expect(slots.take(signedIn(principal("bot", "AGENT", noa)))).toBeDefined();
});
