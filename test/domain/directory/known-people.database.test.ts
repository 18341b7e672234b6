import { describe, expect, it } from "vitest";
import type { Principal } from "../../../src/domain/identity/principal.ts";
import { unguarded } from "../../campaign/tamper/sql.ts";
import { createOrganization, openDirectory, seeing, signingIn } from "./world.ts";

/** What is known of people beside what their tokens say. */
const { one, world } = openDirectory();

/** Two people of an organization of their own: of the first, this token has no address. */
function twoPeople() {
  const { name, ledger, person, agentOf } = createOrganization();
  const { email: _, emailVerified: __, ...bare } = person("ada");
  const compare = async (first: Principal, second: Principal) =>
    (await one.directory.people(name, [first, second], 0n)).compare(first, second);
  return { name, ledger, bare, ada: person("ada"), other: person("ben"), agentOf, compare };
}

describe("somebody whose token has no address", () => {
  it("is another person than one with a verified address only where a verified address is known of them", async () => {
    const { bare, ada, other, compare } = twoPeople();
    expect(await compare(bare, other)).toBe("UNKNOWN");
    const { emailVerified: _, ...unverified } = ada;
    await signingIn(one, unverified);
    expect(await compare(bare, other)).toBe("UNKNOWN");
    await signingIn(one, ada);
    expect(await compare(bare, other)).toBe("DIFFERENT");
  });

  it("is the same person as another account with an address that they were last seen with, verified or not", async () => {
    const { bare, ada, other, agentOf, compare } = twoPeople();
    const { emailVerified: _, ...unverified } = ada;
    const second = { ...other, email: ada.email ?? "" };
    expect(await compare(bare, second)).toBe("UNKNOWN");
    // Also one that only the token of their agent had.
    await seeing(one, agentOf("bot", unverified));
    expect(await compare(bare, second)).toBe("SAME");
    expect(await compare(agentOf("bot", bare), second)).toBe("SAME");
  });

  it("is not made another person by an entry that no server signed, but the same one", async () => {
    const { bare, ada, other, compare } = twoPeople();
    await seeing(one, other);
    await signingIn(one, ada, { unsigned: true });
    expect(await compare(bare, other)).toBe("UNKNOWN");
    expect(await compare(bare, { ...other, email: "ADA@acme.example" })).toBe("SAME");
  });

  it("is not known any more when the address is gone from the database", async () => {
    const { ledger, bare, ada, other, compare } = twoPeople();
    await signingIn(one, ada);
    expect(await compare(bare, other)).toBe("DIFFERENT");
    await unguarded(world.superuserUrl, `DELETE FROM oc_audit_payload WHERE ledger = '${ledger}'`);
    expect(await compare(bare, other)).toBe("UNKNOWN");
  });
});

it("is nobody's to approve what a service asks for by an agent: they are other people, and so is everybody", async () => {
  const { other, agentOf, compare } = twoPeople();
  const service: Principal = { ...other, id: "robot", kind: "SERVICE" };
  expect(await compare(agentOf("bot", service), other)).toBe("DIFFERENT");
});
