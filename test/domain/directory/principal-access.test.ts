import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RevokeTokenInput } from "../../../src/domain/directory/principal-access.ts";
import { verifyLedger } from "../../support/ledgers.ts";
import { calling } from "../support.ts";
import {
  createDirectoryWorld,
  createOrganization,
  type DirectoryWorld,
  refusalOf,
  type Server,
  seeing,
  signedIn,
  typesOf,
} from "./world.ts";

let world: DirectoryWorld;
let one: Server;
let two: Server;

beforeAll(async () => {
  world = await createDirectoryWorld();
  one = await world.server();
  two = await world.server();
});
afterAll(() => world.close());

const reason = "left with Nadia's laptop";

describe("suspendPrincipal and reinstatePrincipal", () => {
  it("are entries, also about an unknown principal; the reason is erasable", async () => {
    const { ledger, root } = createOrganization();
    const { entry } = await one.directory.suspendPrincipal(root, { principalId: "mia", reason });
    expect(entry.body).toMatchObject({
      type: "PRINCIPAL_SUSPENDED",
      subject: { id: "mia", kind: "HUMAN" },
      states: [{ kind: "PRINCIPAL", id: "mia", version: 1, state: { kind: "HUMAN", suspended: true, roles: [] } }],
    });
    expect(entry.payload?.note?.value).toBe(reason);
    expect(entry.entry).not.toContain("Nadia");
    const again = await two.directory.reinstatePrincipal(root, { principalId: "mia", reason: "found it" });
    expect(again.entry.body).toMatchObject({ type: "PRINCIPAL_REINSTATED", states: [{ version: 2 }] });
    expect(await typesOf(one, ledger)).toEqual(["LEDGER_CREATED", "PRINCIPAL_SUSPENDED", "PRINCIPAL_REINSTATED"]);
    expect((await verifyLedger(one.pool, ledger)).problems).toEqual([]);
  });

  it("keep what a principal is", async () => {
    const { person, agentOf, root } = createOrganization();
    await seeing(one, agentOf("bot", person("mia")));
    const { entry } = await one.directory.suspendPrincipal(root, { principalId: "bot", reason });
    expect(entry.body.states).toMatchObject([{ state: { kind: "AGENT" } }]);
    await one.directory.setPrincipalRoles(root, { principalId: "mia", roles: ["lead:blue team"] });
    const suspended = await one.directory.suspendPrincipal(root, { principalId: "mia", reason });
    expect(suspended.entry.body.states).toMatchObject([{ state: { roles: ["lead:blue team"] } }]);
  });

  it("happen once of many at once, on two servers", async () => {
    const { ledger, root } = createOrganization();
    const servers = Array.from({ length: 10 }, (_, at) => (at % 2 === 0 ? one : two));
    const outcomes = await Promise.allSettled(
      servers.map(({ directory }) => directory.suspendPrincipal(root, { principalId: "mia", reason })),
    );
    const codes = outcomes.map((outcome) => (outcome.status === "fulfilled" ? "DONE" : outcome.reason.code));
    expect(await typesOf(one, ledger)).toEqual(["LEDGER_CREATED", "PRINCIPAL_SUSPENDED"]);
    expect(codes.sort()).toEqual([...Array(9).fill("ALREADY_SUSPENDED"), "DONE"]);
  });

  it("are refused with a code", async () => {
    const { person, root } = createOrganization();
    const { directory } = one;
    const suspend = (principalId: string, why = reason) =>
      refusalOf(directory.suspendPrincipal(root, { principalId, reason: why }));
    expect(await suspend("root")).toBe("CANNOT_SUSPEND_SELF principalId");
    expect(await suspend("")).toBe("INVALID_INPUT principalId");
    expect(await suspend("mi\u00ada")).toBe("INVALID_INPUT principalId");
    for (const why of ["", "  \n", "x".repeat(2_001), "\ud800", "a\0b"]) {
      expect(await suspend("mia", why)).toBe("INVALID_INPUT reason");
    }
    const reinstate = directory.reinstatePrincipal(root, { principalId: "mia", reason });
    expect(await refusalOf(reinstate)).toBe("NOT_SUSPENDED principalId");
    const member = calling(person("leo"));
    const works = [
      () => directory.suspendPrincipal(member, { principalId: "mia", reason }),
      () => directory.reinstatePrincipal(member, { principalId: "mia", reason }),
      () => directory.setPrincipalRoles(member, { principalId: "leo", roles: ["admin"] }),
      () => directory.revokeToken(member, { tokenId: "t", reason }),
    ];
    for (const work of works) expect(await refusalOf(work())).toBe("ADMINISTRATORS_ONLY");
  });
});

describe("setPrincipalRoles", () => {
  it("gives exactly these, each once", async () => {
    const { root } = createOrganization();
    const roles = ["lead:red", "approver", "admin", "approver"];
    const { entry } = await one.directory.setPrincipalRoles(root, { principalId: "mia", roles });
    expect(entry.body).toMatchObject({
      type: "PRINCIPAL_ROLES_CHANGED",
      states: [{ state: { roles: ["admin", "approver", "lead:red"] } }],
    });
    const same = one.directory.setPrincipalRoles(root, { principalId: "mia", roles });
    expect(await refusalOf(same)).toBe("NOTHING_CHANGED");
  });

  it("knows its roles, and gives an agent none that decides or sees", async () => {
    const { person, agentOf, root } = createOrganization();
    const set = (principalId: string, roles: readonly string[]) =>
      refusalOf(one.directory.setPrincipalRoles(root, { principalId, roles }));
    const wrong = [
      "",
      "root",
      "Admin",
      "admin ",
      "lead:",
      "lead: ",
      "lead:x\u200b",
      "agent",
      `lead:${"x".repeat(200)}`,
    ];
    for (const role of wrong) expect(await set("mia", [role]), role).toBe("INVALID_INPUT roles");
    expect(
      await set(
        "mia",
        Array.from({ length: 101 }, (_, at) => `lead:${at}`),
      ),
    ).toBe("INVALID_INPUT roles");
    await seeing(one, agentOf("bot", person("mia")));
    for (const role of ["approver", "auditor", "admin", "lead:x"]) {
      expect(await set("bot", [role])).toBe("INVALID_INPUT roles");
    }
    await one.directory.setPrincipalRoles(root, { principalId: "bot", roles: ["member"] });
  });

  it("leaves one administrator of those appointed here", async () => {
    const { person, root } = createOrganization();
    const { directory } = one;
    const set = (principalId: string, roles: readonly string[]) =>
      directory.setPrincipalRoles(root, { principalId, roles });
    await set("mia", ["admin"]);
    expect(await refusalOf(set("mia", ["member"]))).toBe("LAST_ADMINISTRATOR roles");
    await set("leo", ["admin"]);
    // One who is suspended is none to rely on.
    await directory.suspendPrincipal(root, { principalId: "leo", reason });
    expect(await refusalOf(set("mia", []))).toBe("LAST_ADMINISTRATOR roles");
    await directory.reinstatePrincipal(root, { principalId: "leo", reason });
    const { principal } = await directory.admit(signedIn(person("mia")));
    await directory.setPrincipalRoles(calling(principal), { principalId: "mia", roles: ["member"] });
    expect(await refusalOf(set("leo", []))).toBe("LAST_ADMINISTRATOR roles");
  });

  it("leaves one also when two demote each other at once, again and again", async () => {
    const { ledger, person, root } = createOrganization();
    const caller = async ({ directory }: Server, id: string) =>
      calling((await directory.admit(signedIn(person(id)))).principal);
    for (let round = 0; round < 10; round += 1) {
      for (const principalId of ["mia", "leo"]) {
        await one.directory.setPrincipalRoles(root, { principalId, roles: ["admin"] }).catch(() => undefined);
      }
      const [mia, leo] = [await caller(one, "mia"), await caller(two, "leo")];
      const outcomes = await Promise.allSettled([
        one.directory.setPrincipalRoles(mia, { principalId: "leo", roles: [] }),
        two.directory.setPrincipalRoles(leo, { principalId: "mia", roles: [] }),
      ]);
      for (const outcome of outcomes) {
        if (outcome.status === "rejected")
          expect(["LAST_ADMINISTRATOR", "ADMINISTRATORS_ONLY"]).toContain(outcome.reason.code);
      }
      const { rows } = await one.pool.query(
        `SELECT id FROM oc_state WHERE ledger = $1 AND kind = 'PRINCIPAL' AND state -> 'roles' ? 'admin'`,
        [ledger],
      );
      expect(rows.length).toBeGreaterThanOrEqual(1);
    }
    expect((await verifyLedger(one.pool, ledger)).verdict).toBe("INTACT");
  });
});

describe("revokeToken", () => {
  it("is an entry, once", async () => {
    const { root } = createOrganization();
    const token = { issuer: "https://login.example/tenant", tokenId: "a b", reason };
    const { entry } = await one.directory.revokeToken(root, token);
    expect(entry.body).toMatchObject({
      type: "TOKEN_REVOKED",
      states: [{ kind: "TOKEN", id: "https://login.example/tenant a b", version: 1, state: { revoked: true } }],
    });
    expect(await refusalOf(two.directory.revokeToken(root, token))).toBe("ALREADY_REVOKED tokenId");
    await two.directory.revokeToken(root, { tokenId: "a b", reason });
  });

  it("is possible for whatever is not refused, at its longest", async () => {
    const { root } = createOrganization();
    const issuer = `https://${"i".repeat(191)}`;
    const token = { issuer, tokenId: "t".repeat(200), reason };
    expect((await one.directory.revokeToken(root, token)).entry.body.type).toBe("TOKEN_REVOKED");
    expect(await refusalOf(two.directory.revokeToken(root, token))).toBe("ALREADY_REVOKED tokenId");
  });

  const wrong: [name: string, input: Partial<RevokeTokenInput>, path: string][] = [
    ["no id", { tokenId: "" }, "tokenId"],
    ["a token itself", { tokenId: "e".repeat(1_000) }, "tokenId"],
    ["an issuer that would stand for all", { issuer: "*" }, "issuer"],
    ["an issuer of two words", { issuer: "https://a.example b" }, "issuer"],
    ["an empty issuer", { issuer: "" }, "issuer"],
    ["an issuer that leaves no room for the id", { issuer: `https://${"i".repeat(192)}` }, "issuer"],
    ["no reason", { reason: "" }, "reason"],
  ];
  it.each(wrong)("refuses %s", async (_name, input, path) => {
    const { root } = createOrganization();
    const revoked = one.directory.revokeToken(root, { tokenId: "t", reason, ...input });
    expect(await refusalOf(revoked)).toBe(`INVALID_INPUT ${path}`);
  });
});

describe("every change", () => {
  it("names the session of its caller", async () => {
    const { person, root } = createOrganization();
    const asked: string[] = [];
    const server = await world.server({
      attribute: async ({ principal }) => void asked.push(principal.id) as undefined,
    });
    await server.directory.suspendPrincipal(root, { principalId: person("mia").id, reason });
    expect(asked).toEqual(["root"]);
  });
});
