import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import { describe, expect, it } from "vitest";
import type { InviteAgentInput } from "../../../src/domain/directory/agents.ts";
import type { JsonObject } from "../../../src/facts/canonical.ts";
import { calling } from "../support.ts";
import { createOrganization, openDirectory, refusalOf, type Server, seeing, signedIn, typesOf } from "./world.ts";

const { one, world } = openDirectory();

async function keyPair(algorithm: string, extractable = true) {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable });
  const json = async (key: CryptoKey) => JSON.parse(JSON.stringify(await exportJWK(key))) as JsonObject;
  return { publicKey: await json(publicKey), privateKey: await json(privateKey) };
}

const bot = (more: Partial<InviteAgentInput> = {}): InviteAgentInput => ({
  agentId: "bot",
  displayName: "Bot",
  ownerId: "root",
  ...more,
});

async function stored({ pool }: Server, ledger: string) {
  const rows = await pool.query<{ id: string; version: number; state: object; text: string }>(
    "SELECT id, version, state, state::text AS text FROM oc_state WHERE ledger = $1 AND kind = 'PRINCIPAL' ORDER BY id",
    [ledger],
  );
  return rows.rows;
}

describe("inviteAgent", () => {
  it("is one entry; names are in its payload and nowhere else", async () => {
    const { ledger, root } = createOrganization();
    const { publicKey } = await keyPair("EdDSA");
    const displayName = "Reconciler of Nadia";
    const result = await one.directory.inviteAgent(root, bot({ displayName, publicKey, platforms: ["mail", "crm"] }));
    const { entry } = result;
    expect(result.principalId).toBe("bot");
    expect(entry.type).toBe("PRINCIPAL_INVITED");
    expect(entry.body).toMatchObject({
      actor: { id: "root" },
      subject: { id: "bot", kind: "AGENT", profile: { commit: expect.stringMatching(/^[0-9a-f]{64}$/) } },
      states: [{ kind: "PRINCIPAL", id: "bot", version: 1, state: { kind: "AGENT", owner: "root", suspended: false } }],
    });
    expect(entry.payload?.["subject.profile"]?.value).toEqual({ displayName });
    const [row] = await stored(one, ledger);
    expect(row).toMatchObject({
      id: "bot",
      state: { platforms: ["crm", "mail"], roles: [], key: await calculateJwkThumbprint(publicKey) },
    });
    for (const text of [entry.entry, row?.text]) expect(text).not.toMatch(/Nadia|acme\.example/);
  });

  it("is refused a second time, also when both come at once on two servers", async () => {
    const { ledger, root } = createOrganization();
    const two = await world.server();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, at) => (at % 2 === 0 ? one : two).directory.inviteAgent(root, bot())),
    );
    const codes = outcomes.map((outcome) => (outcome.status === "fulfilled" ? "INVITED" : outcome.reason.code));
    expect(codes.sort()).toEqual([...Array(7).fill("ALREADY_EXISTS"), "INVITED"]);
    expect(await typesOf(one, ledger)).toEqual(["LEDGER_CREATED", "PRINCIPAL_INVITED"]);
    expect(await refusalOf(two.directory.inviteAgent(root, bot({ displayName: "Other" })))).toBe(
      "ALREADY_EXISTS agentId",
    );
  });

  it("takes many agents at once", async () => {
    const { ledger, root } = createOrganization();
    const two = await world.server();
    const ids = Array.from({ length: 60 }, (_, at) => `bot-${String(at).padStart(2, "0")}`);
    await Promise.all(
      ids.map((agentId, at) => (at % 2 === 0 ? one : two).directory.inviteAgent(root, bot({ agentId }))),
    );
    expect((await stored(one, ledger)).map(({ id, version }) => `${id} ${version}`)).toEqual(
      ids.map((id) => `${id} 1`),
    );
  });

  it("leaves an agent suspended that was, and makes no agent of somebody else", async () => {
    const { person, agentOf, root } = createOrganization();
    await seeing(one, agentOf("bot", person("mia")));
    await one.directory.suspendPrincipal(root, { principalId: "bot", reason: "a test" });
    const { entry } = await one.directory.inviteAgent(root, bot());
    expect(entry.body.states).toMatchObject([{ version: 2, state: { kind: "AGENT", suspended: true } }]);
    expect(await refusalOf(one.directory.inviteAgent(root, bot({ agentId: "mia" })))).toBe("ALREADY_EXISTS agentId");
    await one.directory.setPrincipalRoles(root, { principalId: "leo", roles: ["approver"] });
    expect(await refusalOf(one.directory.inviteAgent(root, bot({ agentId: "leo" })))).toBe("ALREADY_EXISTS agentId");
  });

  it("makes no agent of the inviting person, also without an entry of theirs", async () => {
    const { ledger, root } = createOrganization();
    expect(await refusalOf(one.directory.inviteAgent(root, bot({ agentId: "root" })))).toBe("ALREADY_EXISTS agentId");
    expect(await stored(one, ledger)).toEqual([]);
  });

  it("wants an owner who is a person, known and not suspended", async () => {
    const { name, person, agentOf, root } = createOrganization();
    const invite = (ownerId: string) => one.directory.inviteAgent(root, bot({ ownerId }));
    expect(await refusalOf(invite("nobody"))).toBe("NOT_FOUND ownerId");
    await seeing(one, agentOf("other", person("mia")));
    expect(await refusalOf(invite("other"))).toBe("INVALID_INPUT ownerId");
    await one.directory.suspendPrincipal(root, { principalId: "leo", reason: "a test" });
    expect(await refusalOf(invite("leo"))).toBe("INVALID_INPUT ownerId");
    // Known in another organization is not known here.
    const elsewhere = createOrganization();
    await seeing(one, elsewhere.person("zoe"));
    expect(await refusalOf(invite("zoe"))).toBe("NOT_FOUND ownerId");
    // Seen when somebody acted for them.
    expect((await invite("mia")).entry.ledger).toBe(`${name}/eu`);
  });

  it("is for administrators, who are people of this organization and not suspended", async () => {
    const { person, agentOf, root, ledger } = createOrganization();
    const elsewhere = createOrganization();
    const admin = { roles: ["admin"] };
    const others = [
      person("member"),
      person("auditor", { roles: ["auditor", "approver", "lead:x"] }),
      { ...agentOf("clever", person("mia")), ...admin },
      { ...agentOf("clever", root.principal), ...admin },
      { ...person("job"), kind: "SERVICE" as const, ...admin },
    ];
    for (const principal of others) {
      expect(await refusalOf(one.directory.inviteAgent(calling(principal), bot()))).toBe("ADMINISTRATORS_ONLY");
    }
    await one.directory.inviteAgent(elsewhere.root, bot());
    expect(await stored(one, ledger)).toEqual([]);
    await one.directory.suspendPrincipal(root, { principalId: "fired", reason: "a test" });
    const fired = calling(person("fired", admin));
    expect(await refusalOf(one.directory.inviteAgent(fired, bot()))).toBe("ADMINISTRATORS_ONLY");
  });

  it("is for current administrators, whatever roles a call in progress was admitted with", async () => {
    const { person, root } = createOrganization();
    const { directory } = one;
    for (const principalId of ["mia", "leo"]) {
      await directory.setPrincipalRoles(root, { principalId, roles: ["admin"] });
    }
    const { principal } = await directory.admit(signedIn(person("mia")));
    const two = await world.server();
    await two.directory.setPrincipalRoles(root, { principalId: "mia", roles: ["member"] });
    expect(await refusalOf(directory.inviteAgent(calling(principal), bot()))).toBe("ADMINISTRATORS_ONLY");
    await two.directory.setPrincipalRoles(root, { principalId: "mia", roles: ["admin"] });
    await directory.inviteAgent(calling(principal), bot());
  });

  const hostile: [name: string, input: Partial<InviteAgentInput>, path: string][] = [
    ["an empty id", { agentId: "" }, "agentId"],
    ["a huge id", { agentId: "a".repeat(201) }, "agentId"],
    ["an id with a bidi override", { agentId: "bot\u202egnp" }, "agentId"],
    ["an id with U+0000", { agentId: "bot\0" }, "agentId"],
    ["a blank name", { displayName: " " }, "displayName"],
    ["a name with a zero-width space", { displayName: "Bo\u200bt" }, "displayName"],
    ["a name of Hangul filler", { displayName: "\u3164" }, "displayName"],
    ["a name with a lone surrogate", { displayName: "Bot \ud83d" }, "displayName"],
    ["a name that ends in a blank", { displayName: "Bot " }, "displayName"],
    ["a huge name", { displayName: "B".repeat(1_000_000) }, "displayName"],
    ["an invisible owner", { ownerId: "\u2800" }, "ownerId"],
    ["no platform at all", { platforms: [] }, "platforms"],
    ["too many platforms", { platforms: Array.from({ length: 101 }, (_, at) => `p${at}`) }, "platforms"],
    ["a platform with a line break", { platforms: ["crm\n"] }, "platforms"],
    ["a gateway without a key", { gateway: true }, "publicKey"],
    ["a key that is text", { publicKey: "ssh-ed25519 AAAA" }, "publicKey"],
    ["a key that is null", { publicKey: null }, "publicKey"],
    ["a symmetric key", { publicKey: { kty: "oct", k: "c2VjcmV0" } }, "publicKey"],
    ["a key of another curve", { publicKey: { kty: "OKP", crv: "X25519", x: "A".repeat(43) } }, "publicKey"],
    ["a point that is on no curve", { publicKey: { kty: "EC", crv: "P-256", x: "AA", y: "AA" } }, "publicKey"],
    ["a huge member", { publicKey: { kty: "RSA", n: "A".repeat(100_000), e: "AQAB" } }, "publicKey"],
  ];
  it.each(hostile)("refuses %s", async (_name, input, path) => {
    const { ledger, root } = createOrganization();
    expect(await refusalOf(one.directory.inviteAgent(root, bot(input)))).toBe(`INVALID_INPUT ${path}`);
    expect(await typesOf(one, ledger)).toEqual([]);
  });

  it("refuses private keys and weak ones, takes the usual kinds, and keeps nothing but the key", async () => {
    const { root } = createOrganization();
    const refusals = [];
    for (const algorithm of ["EdDSA", "ES256", "PS256"]) {
      const { privateKey } = await keyPair(algorithm);
      refusals.push(await refusalOf(one.directory.inviteAgent(root, bot({ publicKey: privateKey }))));
    }
    const { generateKeyPairSync } = await import("node:crypto");
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" }) as JsonObject;
    refusals.push(await refusalOf(one.directory.inviteAgent(root, bot({ publicKey: weak }))));
    expect(refusals).toEqual(Array(4).fill("INVALID_INPUT publicKey"));
    for (const algorithm of ["EdDSA", "ES256", "ES384", "ES512", "PS256"]) {
      const { publicKey } = await keyPair(algorithm);
      const noisy = { ...publicKey, kid: "mine", alg: algorithm, note: "secret" };
      const { entry } = await one.directory.inviteAgent(
        root,
        bot({ agentId: algorithm, publicKey: noisy, gateway: true }),
      );
      expect(entry.body.states).toHaveProperty("0.state.gatewayKey", {
        ...publicKey,
        kid: await calculateJwkThumbprint(publicKey),
      });
    }
  });
});

describe("gatewayKey", () => {
  it("is the key of a gateway, for as long as it and its owner may come in", async () => {
    const { name, person, root } = createOrganization();
    const { publicKey } = await keyPair("EdDSA");
    const kid = await calculateJwkThumbprint(publicKey);
    const { directory } = one;
    await seeing(one, person("mia"));
    expect(directory.gatewayKey(name, kid)).toBeUndefined();
    await directory.inviteAgent(root, bot({ publicKey, gateway: true, ownerId: "mia" }));
    const found = { principalId: "bot", jwk: { ...publicKey, kid } };
    expect(directory.gatewayKey(name, kid)).toEqual(found);
    expect(directory.gatewayKey(createOrganization().name, kid)).toBeUndefined();
    for (const principalId of ["bot", "mia"]) {
      await directory.suspendPrincipal(root, { principalId, reason: "a test" });
      expect(directory.gatewayKey(name, kid)).toBeUndefined();
      await directory.reinstatePrincipal(root, { principalId, reason: "a test" });
      expect(directory.gatewayKey(name, kid)).toEqual(found);
    }
    // A second holder of the key could speak for the first.
    expect(await refusalOf(directory.inviteAgent(root, bot({ agentId: "twin", publicKey })))).toBe(
      "ALREADY_EXISTS publicKey",
    );
    await directory.updateAgent(root, { agentId: "bot", gateway: false });
    expect(directory.gatewayKey(name, kid)).toBeUndefined();
    expect(await refusalOf(directory.updateAgent(root, { agentId: "bot", gateway: true }))).toBe(
      "INVALID_INPUT publicKey",
    );
    const next = await keyPair("ES256");
    await directory.updateAgent(root, { agentId: "bot", gateway: true, publicKey: next.publicKey });
    expect(directory.gatewayKey(name, await calculateJwkThumbprint(next.publicKey))?.principalId).toBe("bot");
  });
});

describe("updateAgent", () => {
  it("changes what is given and carries on the rest, names included", async () => {
    const { person, root } = createOrganization();
    const { directory } = one;
    await seeing(one, person("mia"));
    await directory.inviteAgent(root, bot({ platforms: ["crm"] }));
    const { entry } = await directory.updateAgent(root, { agentId: "bot", ownerId: "mia" });
    expect(entry.type).toBe("PRINCIPAL_UPDATED");
    expect(entry.body.states).toMatchObject([{ version: 2, state: { owner: "mia", platforms: ["crm"] } }]);
    expect(entry.payload?.["subject.profile"]?.value).toEqual({ displayName: "Bot" });
    const renamed = await directory.updateAgent(root, { agentId: "bot", displayName: "Robot", platforms: null });
    expect(renamed.entry.body.states).not.toHaveProperty("0.state.platforms");
    expect(renamed.entry.payload?.["subject.profile"]?.value).toEqual({ displayName: "Robot" });
  });

  it("keeps a platform that the agent has and the catalog has no more", async () => {
    const { root } = createOrganization();
    await one.directory.inviteAgent(root, bot({ platforms: ["crm", "mail"] }));
    const later = await world.server({ platforms: ["mail"] });
    const update = (platforms: readonly string[]) =>
      later.directory.updateAgent(root, { agentId: "bot", displayName: "Bot", platforms });
    expect((await update(["crm", "mail"])).entry.type).toBe("PRINCIPAL_UPDATED");
    await update(["mail"]);
    expect(await refusalOf(update(["crm"]))).toBe("INVALID_INPUT platforms");
  });

  it("is refused for what was not invited, without a change, and for what an invitation is refused for", async () => {
    const { person, root } = createOrganization();
    const { directory } = one;
    expect(await refusalOf(directory.updateAgent(root, { agentId: "bot" }))).toBe("NOT_FOUND agentId");
    await directory.suspendPrincipal(root, { principalId: "bot", reason: "a test" });
    expect(await refusalOf(directory.updateAgent(root, { agentId: "bot" }))).toBe("NOT_FOUND agentId");
    await directory.inviteAgent(root, bot({ agentId: "box" }));
    const update = (change: object) => refusalOf(directory.updateAgent(root, { agentId: "box", ...change }));
    expect(await update({})).toBe("NOTHING_CHANGED");
    expect(await update({ ownerId: "root", gateway: false })).toBe("NOTHING_CHANGED");
    expect(await update({ ownerId: "nobody" })).toBe("NOT_FOUND ownerId");
    expect(await update({ displayName: "\u200d" })).toBe("INVALID_INPUT displayName");
    expect(await update({ platforms: [] })).toBe("INVALID_INPUT platforms");
    expect(await refusalOf(directory.updateAgent(calling(person("mia")), { agentId: "box" }))).toBe(
      "ADMINISTRATORS_ONLY",
    );
  });
});
