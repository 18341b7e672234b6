import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Authentication } from "../../../src/domain/identity/authentication.ts";
import { LedgerUnavailableError } from "../../../src/ledger/errors.ts";
import { recordingLog } from "../../support/log.ts";
import { waitUntil } from "../../support/wait.ts";
import {
  createDirectoryWorld,
  createOrganization,
  type DirectoryWorld,
  reasonOf,
  type Server,
  seeing,
  signedIn,
  signingIn,
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

const publicKey = async () => JSON.parse(JSON.stringify(await exportJWK((await generateKeyPair("EdDSA")).publicKey)));
const because = { reason: "a test" };

describe("admit", () => {
  it("lets in whom the directory does not know, as they are", async () => {
    const { person, agentOf } = createOrganization();
    const owner = person("mia");
    for (const principal of [owner, agentOf("bot", owner), { ...owner, kind: "SERVICE" as const }]) {
      const authentication = signedIn(principal);
      expect(await one.directory.admit(authentication)).toBe(authentication);
    }
  });

  it("refuses a suspended person, and every agent that acts for them", async () => {
    const { person, agentOf, root } = createOrganization();
    const mia = person("mia");
    await one.directory.suspendPrincipal(root, { principalId: "mia", ...because });
    expect(await reasonOf(one.directory.admit(signedIn(mia)))).toBe("SUSPENDED");
    const refused = signedIn(agentOf("bot", mia));
    expect(await reasonOf(one.directory.admit(refused))).toBe("SUSPENDED");
    await expect(one.directory.admit(refused)).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      principal: refused.principal,
    });
    expect(await one.directory.admit(signedIn(agentOf("bot", person("leo"))))).toBeDefined();
    await one.directory.reinstatePrincipal(root, { principalId: "mia", ...because });
    expect((await one.directory.admit(signedIn(mia))).principal).toBe(mia);
  });

  it("refuses a suspended agent, acting for anybody", async () => {
    const { person, agentOf, root } = createOrganization();
    const leo = person("leo");
    await seeing(one, agentOf("bot", leo));
    await one.directory.suspendPrincipal(root, { principalId: "bot", ...because });
    expect(await reasonOf(one.directory.admit(signedIn(agentOf("bot", leo))))).toBe("SUSPENDED");
    expect((await one.directory.admit(signedIn(leo))).principal).toBe(leo);
  });

  it("refuses a revoked token, of its issuer or of any issuer, and no other", async () => {
    const { person, root } = createOrganization();
    const mia = person("mia");
    const tokens = ["t1", "t2"].map((tokenId) => signedIn(mia, { tokenId, issuer: "https://a.example" }));
    const [first = signedIn(mia), second = signedIn(mia)] = tokens;
    await one.directory.revokeToken(root, { issuer: "https://a.example", tokenId: "t1", ...because });
    expect(await reasonOf(one.directory.admit(first))).toBe("REVOKED");
    expect(await one.directory.admit({ ...first, issuer: "https://b.example" })).toBeDefined();
    expect(await one.directory.admit(second)).toBe(second);
    await one.directory.revokeToken(root, { tokenId: "t2", ...because });
    expect(await reasonOf(one.directory.admit(second))).toBe("REVOKED");
  });

  it("adds the roles of the directory, to a person behind an agent too, and to nobody of another kind", async () => {
    const { person, agentOf, root } = createOrganization();
    const mia = person("mia", { roles: ["member"] });
    await one.directory.setPrincipalRoles(root, { principalId: "mia", roles: ["approver", "member"] });
    expect((await one.directory.admit(signedIn(mia))).principal).toEqual({ ...mia, roles: ["member", "approver"] });
    const { principal } = await one.directory.admit(signedIn(agentOf("bot", mia)));
    expect(principal).toMatchObject({ roles: [], onBehalfOf: { roles: ["member", "approver"] } });
    const impostor = signedIn(agentOf("mia", person("leo")));
    expect(await one.directory.admit(impostor)).toBe(impostor);
  });

  it("lets in an agent that acts for nobody only when it was invited, as its owner's", async () => {
    const { name, person, agentOf, root } = createOrganization();
    const mia = person("mia", { displayName: "Mia", groups: ["sales"] });
    const alone = signedIn(agentOf("bot"));
    expect(await reasonOf(one.directory.admit(alone))).toBe("NOT_REGISTERED");
    await signingIn(one, mia);
    await one.directory.inviteAgent(root, {
      agentId: "bot",
      displayName: "Bot",
      ownerId: "mia",
      platforms: ["crm", "mail", "crm"],
    });
    const admitted = await one.directory.admit(alone);
    expect(admitted.principal).toEqual({
      ...alone.principal,
      platforms: ["crm", "mail"],
      onBehalfOf: {
        id: "mia",
        kind: "HUMAN",
        organization: name,
        email: mia.email,
        emailVerified: true,
        displayName: "Mia",
        roles: [],
        groups: ["sales"],
      },
    });
    // A delegated token still says itself whom it is for.
    const delegated = await one.directory.admit(signedIn(agentOf("bot", person("leo"))));
    expect(delegated.principal).toMatchObject({ platforms: ["crm", "mail"], onBehalfOf: { id: "leo" } });

    await one.directory.suspendPrincipal(root, { principalId: "mia", ...because });
    expect(await reasonOf(one.directory.admit(alone))).toBe("SUSPENDED");
    expect(await reasonOf(one.directory.admit(admitted))).toBe("SUSPENDED");
    // Nobody answers for it any more, whoever it acts for.
    expect(await reasonOf(one.directory.admit(signedIn(agentOf("bot", person("leo")))))).toBe("SUSPENDED");
    await one.directory.reinstatePrincipal(root, { principalId: "mia", ...because });
    expect((await one.directory.admit(alone)).principal.onBehalfOf?.id).toBe("mia");
    await one.directory.suspendPrincipal(root, { principalId: "mia", ...because });
    // Suspending somebody invites nobody.
    await one.directory.suspendPrincipal(root, { principalId: "other", ...because });
    await one.directory.reinstatePrincipal(root, { principalId: "other", ...because });
    expect(await reasonOf(one.directory.admit(signedIn(agentOf("other"))))).toBe("NOT_REGISTERED");
  });

  it("knows the owner of an agent by entries that a server signed, and by no other", async () => {
    const { person, agentOf, root } = createOrganization();
    const mia = person("mia");
    const another = { ...mia, email: "another@acme.example" };
    // Whoever can append can have her seen, and have her sign in.
    const others = async () => {
      await seeing(one, another);
      await signingIn(one, another, { unsigned: true });
    };
    await others();
    await one.directory.inviteAgent(root, { agentId: "bot", displayName: "Bot", ownerId: "mia" });
    const address = async (server: Server) =>
      (await server.directory.admit(signedIn(agentOf("bot")))).principal.onBehalfOf?.email;
    expect(await reasonOf(address(one))).toBe("NOT_REGISTERED");
    await signingIn(one, mia);
    await others();
    expect(await address(one)).toBe(mia.email);
    expect(await address(await world.server())).toBe(mia.email);
    // Of who invites an agent of their own, the invitation says who they are.
    await one.directory.inviteAgent(root, { agentId: "own", displayName: "Own", ownerId: "root" });
    for (const server of [one, await world.server()]) {
      const { principal } = await server.directory.admit(signedIn(agentOf("own")));
      expect(principal.onBehalfOf?.email).toBe(root.principal.email);
    }
  });

  it("asks an agent invited with a key to prove it, on whatever token", async () => {
    const { person, agentOf, root } = createOrganization();
    const [key, other] = [await publicKey(), await publicKey()];
    await one.directory.inviteAgent(root, { agentId: "bot", displayName: "Bot", ownerId: "root", publicKey: key });
    for (const principal of [agentOf("bot"), agentOf("bot", person("leo"))]) {
      expect(await reasonOf(one.directory.admit(signedIn(principal)))).toBe("KEY_REQUIRED");
      const foreign = signedIn(principal, { key: await calculateJwkThumbprint(other) });
      expect(await reasonOf(one.directory.admit(foreign))).toBe("KEY_REQUIRED");
      expect(await one.directory.admit(signedIn(principal, { key: await calculateJwkThumbprint(key) }))).toBeDefined();
    }
  });

  it("returns the same objects until the result changes", async () => {
    const { person, agentOf, root } = createOrganization();
    await one.directory.inviteAgent(root, { agentId: "bot", displayName: "Bot", ownerId: "root", platforms: ["crm"] });
    const presented = signedIn(agentOf("bot"));
    const admitted = await one.directory.admit(presented);
    expect(await one.directory.admit(presented)).toBe(admitted);
    expect(await one.directory.admit(admitted)).toBe(admitted);
    // A change about somebody else is none about this one.
    await one.directory.suspendPrincipal(root, { principalId: "leo", ...because });
    expect(await one.directory.admit(presented)).toBe(admitted);
    await one.directory.updateAgent(root, { agentId: "bot", platforms: null });
    const now = await one.directory.admit(presented);
    expect(now).not.toBe(admitted);
    expect(now.principal.platforms).toBeUndefined();
    expect(person("x").organization).toBe(now.principal.organization);
  });

  it("reads nothing for a token it accepted before", async () => {
    const { person, root } = createOrganization();
    let reads = 0;
    const { pool } = one;
    const counting = {
      query: (...parameters: Parameters<typeof pool.query>) => {
        reads += 1;
        return pool.query(...parameters);
      },
    };
    const server = await world.server({ db: counting as typeof pool });
    await one.directory.setPrincipalRoles(root, { principalId: "mia", roles: ["approver"] });
    const authentication = signedIn(person("mia"));
    const admitted = await server.directory.admit(authentication);
    // The entries of the directory, and the versions of its rows.
    expect(reads).toBe(2);
    for (let call = 0; call < 1_000; call += 1) expect(await server.directory.admit(authentication)).toBe(admitted);
    expect(reads).toBe(2);
  });
});

describe("what happens on another server", () => {
  it("holds here by a notification, long before a poll", async () => {
    const { ledger, person, root } = createOrganization();
    const authentication = signedIn(person("mia"));
    expect(await two.directory.admit(authentication)).toBe(authentication);
    await one.directory.suspendPrincipal(root, { principalId: "mia", ...because });
    expect(await two.directory.admit(authentication)).toBe(authentication);
    two.directory.onNotify(`${ledger} 3`);
    await waitUntil(
      () =>
        two.directory.admit(authentication).then(
          () => false,
          () => true,
        ),
      2_000,
    );
    expect(await reasonOf(two.directory.admit(authentication))).toBe("SUSPENDED");
    await one.directory.reinstatePrincipal(root, { principalId: "mia", ...because });
    two.directory.onReconnect();
    await waitUntil(
      () =>
        two.directory.admit(authentication).then(
          () => true,
          () => false,
        ),
      2_000,
    );
  });

  it("holds here by the poll when no notification comes", async () => {
    const { person, root } = createOrganization();
    const polling = await world.server({ pollSeconds: 0.2 });
    const authentication = signedIn(person("mia"), { tokenId: "lost" });
    expect(await polling.directory.admit(authentication)).toBe(authentication);
    await one.directory.revokeToken(root, { tokenId: "lost", ...because });
    await waitUntil(
      () =>
        polling.directory.admit(authentication).then(
          () => false,
          () => true,
        ),
      5_000,
    );
    expect(await reasonOf(polling.directory.admit(authentication))).toBe("REVOKED");
  });

  it("is looked at a few times a second, however much is recorded", async () => {
    const { ledger, person } = createOrganization();
    let reads = 0;
    const { pool } = one;
    const counting = {
      query: (...parameters: Parameters<typeof pool.query>) => {
        reads += 1;
        return pool.query(...parameters);
      },
    };
    const server = await world.server({ db: counting as typeof pool });
    await server.directory.admit(signedIn(person("mia")));
    const until = Date.now() + 1_000;
    while (Date.now() < until) {
      server.directory.onNotify(`${ledger} 7`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(reads).toBeGreaterThanOrEqual(3);
    expect(reads).toBeLessThanOrEqual(7);
  });
});

describe("a directory that cannot be read", () => {
  it("lets in whom it knows for a while, then nobody, and is well again by itself", async () => {
    const { person } = createOrganization();
    const { pool } = one;
    let away = false;
    const flaky = {
      query: (...parameters: Parameters<typeof pool.query>) =>
        away
          ? Promise.reject(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }))
          : pool.query(...parameters),
    };
    const log = recordingLog();
    const { directory } = await world.server({ db: flaky as typeof pool, log, pollSeconds: 0.05, staleSeconds: 0.5 });
    const authentication = signedIn(person("mia"));
    const works = () =>
      directory.admit(authentication).then(
        () => true,
        (error: unknown) => {
          expect(error).toBeInstanceOf(LedgerUnavailableError);
          return false;
        },
      );
    expect(await works()).toBe(true);
    away = true;
    expect(await works()).toBe(true);
    await waitUntil(async () => !(await works()), 5_000);
    expect(log.messages).toHaveLength(1);
    away = false;
    expect(await works()).toBe(true);
  });

  it("is not read any more once it was stopped", async () => {
    const { ledger, person } = createOrganization();
    let reads = 0;
    const { pool } = one;
    const counting = {
      query: (...parameters: Parameters<typeof pool.query>) => {
        reads += 1;
        return pool.query(...parameters);
      },
    };
    const { directory } = await world.server({ db: counting as typeof pool, pollSeconds: 0.02 });
    await directory.admit(signedIn(person("mia")));
    await waitUntil(() => reads > 1, 5_000);
    await directory.stop();
    const before = reads;
    for (let at = 0; at < 30; at += 1) {
      directory.onNotify(`${ledger} 2`);
      directory.onReconnect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(reads).toBe(before);
  });
});

describe("watch", () => {
  const watching = (server: Server, authentication: Authentication) => {
    const heard: string[] = [];
    const unwatch = server.directory.watch(authentication, ({ reason }) => void heard.push(reason));
    return { heard, unwatch };
  };

  it("calls back once when a token or its owner is refused, here immediately and elsewhere soon", async () => {
    const { ledger, person, agentOf, root } = createOrganization();
    const mia = person("mia");
    const here = await one.directory.admit(signedIn(mia));
    const there = await two.directory.admit(signedIn(agentOf("bot", mia)));
    const untouched = watching(one, await one.directory.admit(signedIn(person("leo"))));
    const [near, far, gone] = [watching(one, here), watching(two, there), watching(one, here)];
    gone.unwatch();
    await one.directory.suspendPrincipal(root, { principalId: "mia", ...because });
    expect(near.heard).toEqual(["SUSPENDED"]);
    two.directory.onNotify(`${ledger} 3`);
    await waitUntil(() => far.heard.length > 0, 2_000);
    await one.directory.reinstatePrincipal(root, { principalId: "mia", ...because });
    await one.directory.suspendPrincipal(root, { principalId: "mia", ...because });
    expect([near.heard, far.heard, gone.heard, untouched.heard]).toEqual([["SUSPENDED"], ["SUSPENDED"], [], []]);
  });

  it("calls back for what happened before it began, and for a token that was never accepted", async () => {
    const { person, root } = createOrganization();
    const authentication = await one.directory.admit(signedIn(person("mia"), { tokenId: "early" }));
    await one.directory.revokeToken(root, { tokenId: "early", ...because });
    const late = watching(one, authentication);
    const unknown = watching(await world.server(), signedIn(person("mia"), { tokenId: "early" }));
    await waitUntil(() => late.heard.length + unknown.heard.length === 2, 2_000);
    expect([late.heard, unknown.heard]).toEqual([["REVOKED"], ["REVOKED"]]);
  });

  it("calls back for a lost role or owner, and not for a gained one", async () => {
    const { person, agentOf, root } = createOrganization();
    const { directory } = one;
    await directory.setPrincipalRoles(root, { principalId: "mia", roles: ["auditor"] });
    await directory.inviteAgent(root, { agentId: "bot", displayName: "Bot", ownerId: "root" });
    await seeing(one, person("leo"));
    const auditor = watching(one, await directory.admit(signedIn(person("mia"))));
    const bot = watching(one, await directory.admit(signedIn(agentOf("bot"))));
    await directory.setPrincipalRoles(root, { principalId: "mia", roles: ["auditor", "approver"] });
    expect([auditor.heard, bot.heard]).toEqual([[], []]);
    await directory.setPrincipalRoles(root, { principalId: "mia", roles: ["approver"] });
    await directory.updateAgent(root, { agentId: "bot", ownerId: "leo" });
    expect([auditor.heard, bot.heard]).toEqual([["REVOKED"], ["REVOKED"]]);
  });
});
