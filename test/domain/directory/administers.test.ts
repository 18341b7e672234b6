import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { calling } from "../support.ts";
import { createDirectoryWorld, createOrganization, type DirectoryWorld, type Server, signedIn } from "./world.ts";

let world: DirectoryWorld;
/** Neither polls: one knows what the other recorded only when it looks. */
let one: Server;
let two: Server;

beforeAll(async () => {
  world = await createDirectoryWorld();
  one = await world.server();
  two = await world.server();
});
afterAll(() => world.close());

describe("administers", () => {
  it("is true of people with the role admin, by their token or by the directory, and of nobody else", async () => {
    const { person, agentOf, root } = createOrganization();
    await one.directory.setPrincipalRoles(root, { principalId: "mia", roles: ["admin"] });
    const mia = person("mia");
    const administers = (principal: typeof mia) => one.directory.administers(calling(principal));
    expect(await administers(root.principal)).toBe(true);
    expect(await administers(mia)).toBe(true);
    expect(await administers(person("leo", { roles: ["approver", "auditor"] }))).toBe(false);
    expect(await administers({ ...agentOf("bot", root.principal), roles: ["admin"] })).toBe(false);
    expect(await administers({ ...person("robot", { roles: ["admin"] }), kind: "SERVICE" })).toBe(false);
  });

  it("asks the directory of now: a role that was given or taken away on another server meanwhile counts", async () => {
    const { person, root } = createOrganization();
    const mia = calling(person("mia"));
    // Somebody else is left when mia is none any more.
    await two.directory.setPrincipalRoles(root, { principalId: "ada", roles: ["admin"] });
    expect(await one.directory.administers(mia)).toBe(false);
    await two.directory.setPrincipalRoles(root, { principalId: "mia", roles: ["admin"] });
    expect(await one.directory.administers(mia)).toBe(true);
    const { principal } = await one.directory.admit(signedIn(person("mia")));
    expect(principal.roles).toContain("admin");
    await two.directory.setPrincipalRoles(root, { principalId: "mia", roles: ["member"] });
    expect(await one.directory.administers(calling(principal))).toBe(false);
  });

  it("is false of an administrator who is suspended", async () => {
    const { person, root } = createOrganization();
    const leo = person("leo", { roles: ["admin"] });
    expect(await one.directory.administers(calling(leo))).toBe(true);
    await two.directory.suspendPrincipal(root, { principalId: "leo", reason: "left" });
    expect(await one.directory.administers(calling(leo))).toBe(false);
  });
});
