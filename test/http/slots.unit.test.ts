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
  const slots = createSlots(1);
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
