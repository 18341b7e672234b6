import { describe, expect, it } from "vitest";
import type { PrincipalFilter } from "../../../src/domain/directory/views.ts";
import type { Principal } from "../../../src/domain/identity/principal.ts";
import { withClient } from "../../support/postgres.ts";
import { waitUntil } from "../../support/wait.ts";
import { createOrganization, openDirectory, type Server, seeing, signedIn } from "./world.ts";

const { one, world } = openDirectory();

const reason = "a test";

async function idsOf(server: Server, viewer: Principal, filter: PrincipalFilter = {}): Promise<readonly string[]> {
  const { principals, more } = await server.directory.list(viewer, filter, { limit: 100 });
  expect(more).toBe(false);
  return principals.map(({ id }) => id);
}

/** People, agents and teams in most of the ways there are. */
async function scene() {
  const organization = createOrganization();
  const { person, agentOf, root } = organization;
  const mia = person("mia", { displayName: "Mia Li", groups: ["sales"] });
  const leo = person("leo", { roles: ["lead:sales"], groups: ["board"] });
  const zoe = person("zoe", { groups: ["board", "sales"] });
  for (const principal of [mia, leo, agentOf("bot", zoe)]) await seeing(one, principal);
  await one.directory.inviteAgent(root, { agentId: "clerk", displayName: "Clerk", ownerId: "mia", platforms: ["crm"] });
  await one.directory.setPrincipalRoles(root, { principalId: "ann", roles: ["lead:board"] });
  await one.directory.suspendPrincipal(root, { principalId: "zoe", reason });
  return { ...organization, mia, leo, zoe, auditor: person("auditor", { roles: ["auditor"] }) };
}

describe("the list", () => {
  it("is who was entered and who was seen, as they are now", async () => {
    const { name, auditor, mia, root } = await scene();
    const { principals } = await (await world.server()).directory.list(auditor, {}, { limit: 100 });
    expect(principals.map(({ id }) => id)).toEqual(["ann", "bot", "clerk", "leo", "mia", "root", "zoe"]);
    const [ann, bot, clerk, , seen, , zoe] = principals;
    expect(ann).toMatchObject({ principal: { kind: "HUMAN", roles: ["lead:board"] }, roles: ["lead:board"] });
    expect(ann?.lastSeenAt).toBeUndefined();
    expect(bot?.principal).toMatchObject({ kind: "AGENT", displayName: "Agent bot", onBehalfOf: { id: "zoe" } });
    expect(clerk).toMatchObject({
      status: "ACTIVE",
      ownerId: "mia",
      platforms: ["crm"],
      gateway: false,
      principal: { organization: name, displayName: "Clerk" },
    });
    expect(clerk?.invitedAt).toMatch(/^\d{4}-.*\.\d{6}Z$/);
    expect(seen).toMatchObject({ principal: mia, teams: ["sales"], roles: [] });
    expect(seen?.lastSeenAt).toMatch(/^\d{4}-.*\.\d{6}Z$/);
    expect(zoe).toMatchObject({ status: "SUSPENDED", principal: { groups: ["board", "sales"] } });
    expect(principals.some(({ id }) => id === "countersign")).toBe(false);
    expect(await idsOf(one, root.principal)).toEqual(principals.map(({ id }) => id));
  });

  it("follows what happens, here and on other servers", async () => {
    const { auditor, person, agentOf, root } = await scene();
    const two = await world.server();
    await idsOf(two, auditor);
    await seeing(one, person("mia", { displayName: "Mia Moved", groups: ["board"] }));
    await seeing(one, agentOf("new", person("kim")));
    await two.directory.suspendPrincipal(root, { principalId: "mia", reason });
    await waitUntil(async () => (await two.directory.load(auditor, ["kim"])).size === 1, 5_000);
    const mia = (await two.directory.load(auditor, ["mia"])).get("mia");
    expect(mia).toMatchObject({ status: "SUSPENDED", teams: ["board"], principal: { displayName: "Mia Moved" } });
  });

  it("takes what a principal's own token said before what was said of it in somebody's call", async () => {
    const { person, agentOf, root } = createOrganization();
    await seeing(one, person("mia", { groups: ["sales"] }));
    await seeing(one, agentOf("bot", person("mia", { groups: ["stale"] })));
    const mia = (await one.directory.load(root.principal, ["mia"])).get("mia");
    expect(mia?.teams).toEqual(["sales"]);
  });

  it("comes in pages by id, complete and without repetition, whatever language the ids are in", async () => {
    const { name, root, person } = createOrganization();
    const ids = ["Zoë", "adam", "é", "ä", "zz", "Ω", "B", "10", "9", "😀"].map((id) => `${id}-${name}`);
    for (const id of ids) await seeing(one, person(id));
    const found: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await one.directory.list(root.principal, {}, { limit: 3, after });
      expect(page.principals.length).toBeLessThanOrEqual(3);
      found.push(...page.principals.map(({ id }) => id));
      after = found.at(-1);
      if (!page.more) break;
    }
    expect(found).toEqual([...ids].sort((a, b) => (a < b ? -1 : 1)));
  });

  it("is narrowed by a filter", async () => {
    const { auditor } = await scene();
    const ids = (filter: PrincipalFilter) => idsOf(one, auditor, filter);
    expect(await ids({ kind: "AGENT" })).toEqual(["bot", "clerk"]);
    expect(await ids({ kind: "SERVICE" })).toEqual([]);
    expect(await ids({ team: "sales" })).toEqual(["mia", "zoe"]);
    expect(await ids({ team: "sales", suspended: false })).toEqual(["mia"]);
    expect(await ids({ suspended: true })).toEqual(["zoe"]);
    expect(await ids({ text: " mIa lI" })).toEqual(["mia"]);
    expect(await ids({ text: "LEO@acme" })).toEqual(["leo"]);
    expect(await ids({ text: "cler", kind: "AGENT" })).toEqual(["clerk"]);
    expect(await ids({ text: "nobody\0\ud800" })).toEqual([]);
    expect(await ids({ team: "nothing" })).toEqual([]);
  });

  it("ends a search early rather than open a thousand profiles more", async () => {
    const { ledger, root, person } = createOrganization();
    await seeing(one, person("x"));
    await Promise.all(
      Array.from({ length: 1_050 }, (_, at) => seeing(one, person(`p${String(at).padStart(4, "0")}`, { email: "" }))),
    );
    const first = await one.directory.list(root.principal, { text: "x" }, { limit: 5 });
    expect(first).toMatchObject({ principals: [], more: true, stoppedAt: "p0999" });
    const second = await one.directory.list(root.principal, { text: "x" }, { limit: 5, after: first.stoppedAt });
    expect(second.principals.map(({ id }) => id)).toEqual(["x"]);
    expect(second.more).toBe(false);
    // The walk over the index is in steps of 500; nobody is lost or met twice between two.
    const walked = await (await world.server()).directory.list(root.principal, {}, { limit: 2_000 });
    expect(walked.principals).toHaveLength(1_051);
    expect(ledger).toContain(root.principal.organization);
  });

  it("has no name or address that was erased", async () => {
    const { ledger, auditor, root } = await scene();
    await one.directory.suspendPrincipal(root, { principalId: "clerk", reason });
    await withClient(world.superuserUrl, async (client) => {
      await client.query("SET session_replication_role = replica");
      await client.query("DELETE FROM oc_audit_payload WHERE ledger = $1", [ledger]);
    });
    const found = await one.directory.load(auditor, ["clerk", "mia"]);
    expect(found.get("clerk")?.principal.displayName).toBeUndefined();
    expect(found.get("mia")?.principal).not.toHaveProperty("email");
    // Nor does a later change bring one back.
    const { entry } = await one.directory.reinstatePrincipal(root, { principalId: "clerk", reason });
    expect(entry.payload?.["subject.profile"]?.value).toEqual({});
  });
});

describe("who sees whom", () => {
  it("is everybody for administrators and auditors, and those close by for others", async () => {
    const { mia, leo, zoe, auditor, root, agentOf, person } = await scene();
    const everybody = ["ann", "bot", "clerk", "leo", "mia", "root", "zoe"];
    expect(await idsOf(one, auditor)).toEqual(everybody);
    expect(await idsOf(one, root.principal)).toEqual(everybody);
    // Herself, her agent, and who leads her team.
    expect(await idsOf(one, mia)).toEqual(["clerk", "leo", "mia"]);
    // An agent that acted for her, and the leads of both teams.
    expect(await idsOf(one, zoe)).toEqual(["ann", "bot", "leo", "zoe"]);
    // The members of the team he leads, and who leads his.
    expect(await idsOf(one, leo)).toEqual(["ann", "leo", "mia", "zoe"]);
    const bot = agentOf("bot", zoe);
    expect(await idsOf(one, bot)).toEqual(["bot", "zoe"]);
    expect(await idsOf(one, { ...bot, roles: ["admin", "auditor", "lead:sales"], groups: ["board"] })).toEqual([
      "bot",
      "zoe",
    ]);
    expect(await idsOf(one, person("mia", { roles: ["approver"] }))).toEqual(["clerk", "mia"]);
    expect((await one.directory.load(mia, ["zoe", "mia", "none"])).size).toBe(1);
  });

  it("is nobody of another organization", async () => {
    await scene();
    const { root, person } = createOrganization();
    expect(await idsOf(one, root.principal)).toEqual([]);
    await seeing(one, person("kim"));
    const two = await world.server();
    expect(await idsOf(two, root.principal)).toEqual(["kim"]);
    expect((await two.directory.load(root.principal, ["mia", "kim"])).size).toBe(1);
  });
});

describe("teams", () => {
  it("are groups, with those who have the role to lead them", async () => {
    const { auditor, mia, leo } = await scene();
    expect(await one.directory.teams(auditor)).toEqual([
      { name: "board", leadIds: ["ann"] },
      { name: "sales", leadIds: ["leo"] },
    ]);
    expect(await one.directory.teams(auditor, "board")).toEqual([{ name: "sales", leadIds: ["leo"] }]);
    expect((await one.directory.teams(mia)).map(({ name }) => name)).toEqual(["sales"]);
    expect((await one.directory.teams(leo)).map(({ name }) => name)).toEqual(["board", "sales"]);
  });

  it("have members that their lead sees immediately once admitted, and new ones soon", async () => {
    const { name, leo, person } = await scene();
    const { directory } = await world.server();
    expect([...directory.membersOf(name, "sales")]).toEqual([]);
    await directory.admit(signedIn(leo));
    expect([...directory.membersOf(name, "sales")].sort()).toEqual(["mia", "zoe"]);
    await seeing(one, person("mia", { groups: ["board"] }));
    await seeing(one, person("kim", { groups: ["sales"] }));
    await waitUntil(() => directory.membersOf(name, "sales").has("kim"), 5_000);
    expect([...directory.membersOf(name, "sales")].sort()).toEqual(["kim", "zoe"]);
  });
});
