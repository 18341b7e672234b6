import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SYSTEM_ACTOR } from "../../../src/facts/envelope.ts";
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

async function issued(server: Server, organization: string): Promise<string> {
  const setup = await server.directory.ensureSetupCode(organization);
  if (setup === undefined) throw new Error("no code was issued");
  return setup.code;
}

async function setupState({ pool }: Server, ledger: string) {
  const { rows } = await pool.query<{ state: Record<string, unknown> }>(
    "SELECT state FROM oc_state WHERE ledger = $1 AND kind = 'SETUP'",
    [ledger],
  );
  return rows[0]?.state;
}

describe("ensureSetupCode", () => {
  it("gives a code of 140 bits to one of the servers that start at once, and keeps its hash alone", async () => {
    const { name, ledger } = createOrganization();
    const codes = await Promise.all([one, two, one, two].map(({ directory }) => directory.ensureSetupCode(name)));
    const [setup, ...more] = codes.filter((code) => code !== undefined);
    expect(more).toEqual([]);
    expect(setup?.code).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}$/);
    expect(await typesOf(one, ledger)).toEqual(["LEDGER_CREATED", "SETUP_CODE_ISSUED"]);
    const hash = createHash("sha256")
      .update(String(setup?.code.replaceAll("-", "")))
      .digest("hex");
    expect(await setupState(one, ledger)).toEqual({ hash, attempts: 0, expiresAt: expect.any(String) });
    const { rows } = await one.pool.query("SELECT entry FROM oc_audit_log WHERE ledger = $1 AND seq = 2", [ledger]);
    expect(rows[0].entry).not.toContain(setup?.code);
    expect(JSON.parse(rows[0].entry).body.actor).toEqual(SYSTEM_ACTOR);
    expect(Number(setup?.expiresAt) - Date.now()).toBeGreaterThan(23 * 3600_000);
  });

  it("gives none while there is an administrator, and one again when there is none that can act", async () => {
    const { name, root } = createOrganization();
    await one.directory.setPrincipalRoles(root, { principalId: "mia", roles: ["admin"] });
    expect(await two.directory.ensureSetupCode(name)).toBeUndefined();
    await one.directory.suspendPrincipal(root, { principalId: "mia", reason: "a test" });
    expect(await two.directory.ensureSetupCode(name)).toBeDefined();
  });
});

describe("claimAdministrator", () => {
  it("makes the person with the code an administrator, in any spelling, once", async () => {
    const { name, ledger, person } = createOrganization();
    const code = await issued(one, name);
    const mia = person("mia", { displayName: "Mia" });
    const spelt = ` ${code.toLowerCase().replaceAll("-", " ").replaceAll("0", "o").replaceAll("1", "l")}`;
    const { principalId, entry } = await two.directory.claimAdministrator(calling(mia), { code: spelt });
    expect(principalId).toBe("mia");
    expect(entry.body).toMatchObject({
      type: "PRINCIPAL_ROLES_CHANGED",
      states: [{ id: "mia", state: { kind: "HUMAN", suspended: false, roles: ["admin"] } }],
    });
    expect(entry.payload?.["subject.profile"]?.value).toEqual({
      displayName: "Mia",
      email: mia.email,
      emailVerified: true,
    });
    expect((await two.directory.admit(signedIn(mia))).principal.roles).toEqual(["admin"]);
    expect(await typesOf(one, ledger)).toEqual([
      "LEDGER_CREATED",
      "SETUP_CODE_ISSUED",
      "SETUP_CODE_USED",
      "PRINCIPAL_ROLES_CHANGED",
    ]);
    expect(await refusalOf(one.directory.claimAdministrator(calling(person("leo")), { code }))).toBe(
      "SETUP_CODE_INVALID code",
    );
    // The same call again, as after an answer that was lost.
    expect((await one.directory.claimAdministrator(calling(mia), { code })).entry.seq).toBe(entry.seq);
    expect(await typesOf(one, ledger)).toHaveLength(4);
  });

  it("makes one administrator when many use the code at once", async () => {
    const { name, ledger, person } = createOrganization();
    const code = await issued(one, name);
    const claims = Array.from({ length: 8 }, (_, at) =>
      (at % 2 === 0 ? one : two).directory.claimAdministrator(calling(person(`p${at}`)), { code }),
    );
    const outcomes = await Promise.allSettled(claims);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const types = await typesOf(one, ledger);
    expect(types.filter((type) => type === "PRINCIPAL_ROLES_CHANGED")).toHaveLength(1);
  });

  it("makes one entry of each kind when one person calls twice at once", async () => {
    const { name, ledger, person } = createOrganization();
    const code = await issued(one, name);
    const mia = calling(person("mia"));
    await Promise.all([one, two, one].map(({ directory }) => directory.claimAdministrator(mia, { code })));
    expect(await typesOf(one, ledger)).toHaveLength(4);
  });

  it("is finished by the same person after a crash between its two entries, and by nobody else", async () => {
    const { name, ledger, person } = createOrganization();
    const code = await issued(one, name);
    const [mia, leo] = [calling(person("mia")), calling(person("leo"))];
    const crashing = await world.server({
      ledgers: {
        damaged: one.ledgers.damaged,
        append: async (to, body) => {
          if (body.type === "PRINCIPAL_ROLES_CHANGED") throw new Error("crashed");
          return one.ledgers.append(to, body);
        },
      },
    });
    await expect(crashing.directory.claimAdministrator(mia, { code })).rejects.toThrow("crashed");
    expect((await typesOf(one, ledger)).at(-1)).toBe("SETUP_CODE_USED");
    expect(await refusalOf(two.directory.claimAdministrator(leo, { code }))).toBe("SETUP_CODE_INVALID code");
    const wrong = two.directory.claimAdministrator(mia, { code: `${code}X` });
    expect(await refusalOf(wrong)).toBe("SETUP_CODE_INVALID code");
    await two.directory.claimAdministrator(mia, { code });
    expect((await typesOf(one, ledger)).slice(2)).toEqual(["SETUP_CODE_USED", "PRINCIPAL_ROLES_CHANGED"]);
  });

  it("gives nothing back that was taken away since", async () => {
    const { name, person, root } = createOrganization();
    const code = await issued(one, name);
    const mia = calling(person("mia"));
    await one.directory.claimAdministrator(mia, { code });
    await one.directory.setPrincipalRoles(root, { principalId: "leo", roles: ["admin"] });
    await one.directory.setPrincipalRoles(root, { principalId: "mia", roles: [] });
    expect(await refusalOf(two.directory.claimAdministrator(mia, { code }))).toBe("SETUP_CODE_INVALID code");
  });

  it("records ten wrong codes of a person, who is refused the right one then, too; it stays good for others", async () => {
    const { name, ledger, person } = createOrganization();
    const code = await issued(one, name);
    const eve = calling(person("eve"));
    const tries = Array.from({ length: 25 }, (_, at) =>
      refusalOf((at % 2 === 0 ? one : two).directory.claimAdministrator(eve, { code: `wrong ${at}` })),
    );
    expect(new Set(await Promise.all(tries))).toEqual(new Set(["SETUP_CODE_INVALID code"]));
    const refusals = async () => (await typesOf(one, ledger)).filter((type) => type === "SETUP_CODE_REFUSED").length;
    expect(await refusals()).toBe(10);
    // A server that starts later has read the same.
    const three = await world.server();
    for (const { directory } of [one, two, three]) {
      expect(await refusalOf(directory.claimAdministrator(eve, { code }))).toBe("SETUP_CODE_INVALID code");
    }
    expect(await refusals()).toBe(10);
    const mia = calling(person("mia"));
    expect(await refusalOf(two.directory.claimAdministrator(mia, { code: "a slip" }))).toBe("SETUP_CODE_INVALID code");
    await three.directory.claimAdministrator(mia, { code });
    expect(await setupState(one, ledger)).toMatchObject({ attempts: 11, usedBy: "mia" });
  });

  it("is refused without a code, to agents and services, for another organization's, and once there is an administrator", async () => {
    const { name, person, agentOf, root } = createOrganization();
    const mia = person("mia");
    const claim = (principal: typeof mia, code: string) =>
      refusalOf(one.directory.claimAdministrator(calling(principal), { code }));
    expect(await claim(mia, "0000-0000")).toBe("SETUP_CODE_INVALID code");
    const code = await issued(one, name);
    for (const principal of [agentOf("bot", mia), { ...mia, kind: "SERVICE" as const }]) {
      expect(await claim(principal, code)).toBe("HUMANS_ONLY");
    }
    // Not to a person whose id is an agent's either: the agent's record would become the administrator's.
    await seeing(one, person("leo"));
    await one.directory.inviteAgent(root, { agentId: "zoe", displayName: "Zoe", ownerId: "leo" });
    expect(await claim(person("zoe"), code)).toBe("HUMANS_ONLY");
    expect(await claim(createOrganization().person("mia"), code)).toBe("SETUP_CODE_INVALID code");
    expect(await claim(mia, "")).toBe("SETUP_CODE_INVALID code");
    expect(await claim(mia, "0".repeat(100_000))).toBe("INVALID_INPUT code");
    await one.directory.setPrincipalRoles(root, { principalId: "leo", roles: ["admin"] });
    expect(await claim(mia, code)).toBe("SETUP_CODE_INVALID code");
  });
});
