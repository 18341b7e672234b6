import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPool } from "../../../src/db/pool.ts";
import { createCommit } from "../../../src/domain/commit.ts";
import type { CopyPlace } from "../../../src/domain/directory/copies.ts";
import type { Directory } from "../../../src/domain/directory/directory.ts";
import { callerFacts } from "../../../src/domain/identity/recorded.ts";
import { createHomeCopier, type HomeCopier } from "../../../src/domain/regions/home-copier.ts";
import { createHomeSource } from "../../../src/domain/regions/home-source.ts";
import { seal } from "../../../src/facts/commitment.ts";
import { bodyOf } from "../../../src/facts/encode.ts";
import { instant } from "../../../src/facts/entry.ts";
import { Erasable } from "../../../src/facts/erasable.ts";
import { newId } from "../../../src/facts/random.ts";
import { LedgerDamagedError } from "../../../src/ledger/errors.ts";
import { unguarded } from "../../campaign/tamper/sql.ts";
import { isSigned } from "../../support/ledgers.ts";
import { silent } from "../../support/log.ts";
import { startProxy } from "../../support/proxy.ts";
import {
  createDirectoryWorld,
  createOrganization,
  type DirectoryWorld,
  reasonOf,
  type Server,
  signedIn,
  signingIn,
} from "./world.ts";

/** Directories by copies that the ledgers of another region have, in a database of its own. */
let home: DirectoryWorld;
let abroad: DirectoryWorld;
let one: Server;
let us: Server;
let copier: HomeCopier;
let place: CopyPlace;
const nowhere = createPool({
  connectionString: "postgres://nobody@127.0.0.1:1/nothing",
  max: 1,
  applicationName: "nowhere",
  log: silent,
});

beforeAll(async () => {
  [home, abroad] = await Promise.all([createDirectoryWorld(), createDirectoryWorld()]);
  one = await home.server();
  us = await abroad.server();
  copier = copierOf(3_600_000);
  place = { region: "us", db: us.pool, ledgers: us.ledgers, copy: copier.copyOne };
});

afterAll(() => Promise.all([home.close(), abroad.close(), nowhere.end()]));

function copierOf(renewAfter: number): HomeCopier {
  return createHomeCopier({
    home: {
      region: "eu",
      ...createHomeSource({
        region: "eu",
        db: one.pool,
        ledgers: one.ledgers,
        directory: one.directory,
        isSigned,
      }),
    },
    region: "us",
    db: us.pool,
    commit: createCommit({ ledgers: us.ledgers, attribute: "none" }),
    log: silent,
    interval: 3_600_000,
    renewAfter,
  });
}

/** A process that starts while the home database is down. */
async function started(copySeconds = 3_600): Promise<Directory> {
  const { directory } = await abroad.server({
    db: nowhere,
    copies: () => [place],
    copySeconds,
    staleSeconds: 15,
  });
  return directory;
}

/** An organization with a ledger in both regions. */
async function organization() {
  const made = createOrganization();
  await one.directory.admit(signedIn(made.root.principal));
  await us.ledgers.append(`${made.name}/us`, noteOf(made.person("somebody")));
  return { ...made, us: `${made.name}/us` as const };
}

type Person = ReturnType<ReturnType<typeof createOrganization>["person"]>;

const noteOf = (principal: Person) =>
  bodyOf<"AUDIT_READ">(callerFacts({ principal, client: CLIENT }), {
    type: "AUDIT_READ",
    read: { from: instant(new Date()), reads: { auditEntries: 1 }, entries: 1 },
  });
const CLIENT = { name: "test", confidence: "HEADER", modelConfidence: "UNKNOWN", evidence: {} } as const;

describe("a directory whose home ledger cannot be read", () => {
  it("admits and refuses as the copies have it, and adds the roles that they give", async () => {
    const { name, root, person, us: ledger } = await organization();
    const { directory } = one;
    await directory.setPrincipalRoles(root, { principalId: "ada", roles: ["auditor"] });
    await directory.suspendPrincipal(root, { principalId: "ben", reason: "left" });
    await copier.copy();
    const copied = await started();
    expect((await copied.admit(signedIn(person("ada")))).principal.roles).toEqual(["auditor"]);
    expect(await reasonOf(copied.admit(signedIn(person("ben"))))).toBe("SUSPENDED");
    expect(copied.abroad.statusOf(name)?.isSuspended("ben", 0n)).toBe(true);
    // What is decided at home is decided by the home ledger alone.
    expect(copied.statusOf(name)).toBeUndefined();
    await expect(copied.refresh(name)).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    await copied.abroad.refresh(name);
    // Nothing more is recorded while nothing changes.
    const { rows } = await us.pool.query("SELECT FROM oc_audit_log WHERE ledger = $1 AND type = 'HOME_COPIED'", [
      ledger,
    ]);
    await copier.copy();
    const { rowCount } = await us.pool.query("SELECT FROM oc_audit_log WHERE ledger = $1 AND type = 'HOME_COPIED'", [
      ledger,
    ]);
    expect(rowCount).toBe(rows.length);
  });

  it("takes in what is copied later, and tells those who are connected", async () => {
    const { root, person, name } = await organization();
    await one.directory.setPrincipalRoles(root, { principalId: "ada", roles: ["auditor"] });
    await copier.copy();
    const copied = await started();
    const admitted = await copied.admit(signedIn(person("ada")));
    const revoked = new Promise((resolve) => copied.watch(admitted, resolve));
    await one.directory.suspendPrincipal(root, { principalId: "ada", reason: "left" });
    await copier.copy();
    await copied.abroad.refresh(name);
    expect(await revoked).toMatchObject({ reason: "SUSPENDED" });
  });

  it("knows the owner of an agent that acts for nobody, with the address that they last signed in with", async () => {
    const { root, person, agentOf } = await organization();
    const owner = person("olga", { groups: ["finance"] });
    await signingIn(one, owner);
    await one.directory.inviteAgent(root, { agentId: "bot", displayName: "Bot", ownerId: "olga", platforms: ["crm"] });
    await copier.copy();
    const { principal } = await (await started()).admit(signedIn(agentOf("bot")));
    expect(principal).toMatchObject({
      platforms: ["crm"],
      onBehalfOf: { id: "olga", email: owner.email, groups: ["finance"] },
    });
  });

  it("compares people by the addresses that the copies and the ledgers of the region have", async () => {
    const { name, root, person, us: ledger } = await organization();
    const { email: _, emailVerified: __, ...bare } = person("ada");
    const { email: ___, emailVerified: ____, ...bareRoot } = root.principal;
    await one.directory.setPrincipalRoles(root, { principalId: "ada", roles: ["auditor"] });
    await copier.copy();
    const copied = await started();
    const same = async (one: Person, other: Person) =>
      (await copied.abroad.people(name, [one, other], 0n)).compare(one, other);
    expect(await same(bareRoot as Person, person("second", { email: root.principal.email ?? "" }))).toBe("SAME");
    expect(await same(bare as Person, person("second", { email: "ada@acme.example" }))).toBe("UNKNOWN");
    await us.ledgers.append(ledger, noteOf(person("ada")));
    expect(await same(bare as Person, person("second", { email: "ada@acme.example" }))).toBe("SAME");
  });

  it("is not known where nothing was copied, where that is too long ago, or where copies are not to be used", async () => {
    const { root, person, name } = await organization();
    const nobody = createOrganization();
    await expect((await started()).admit(signedIn(nobody.person("ada")))).rejects.toMatchObject({
      code: "LEDGER_UNAVAILABLE",
    });
    await one.directory.suspendPrincipal(root, { principalId: "ben", reason: "left" });
    await copier.copy();
    await expect((await started(0)).admit(signedIn(person("ada")))).rejects.toMatchObject({
      code: "LEDGER_UNAVAILABLE",
    });
    await expect((await started(0.001)).abroad.refresh(name)).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    expect((await (await started()).admit(signedIn(person("ada")))).principal.id).toBe("ada");
  });

  it("stays recent by a copy of nothing", async () => {
    const { root, us: ledger } = await organization();
    await one.directory.suspendPrincipal(root, { principalId: "ben", reason: "left" });
    await copier.copy();
    const renewing = copierOf(0);
    await renewing.copy();
    await renewing.copy();
    const { rows } = await us.pool.query<{ version: number }>(
      "SELECT version FROM oc_state WHERE ledger = $1 AND kind = 'HOME_COPY'",
      [ledger],
    );
    expect(rows[0]?.version).toBeGreaterThan(2);
    await renewing.stop();
  });

  it("is copied without a gap by servers that do it at the same time, in more than one part", async () => {
    const { root, person } = await organization();
    const ids = Array.from({ length: 230 }, (_, n) => `p${n}`);
    for (let from = 0; from < ids.length; from += 46) {
      const some = ids.slice(from, from + 46);
      await Promise.all(some.map((id) => one.directory.suspendPrincipal(root, { principalId: id, reason: "left" })));
    }
    const others = [copierOf(3_600_000), copierOf(3_600_000), copierOf(3_600_000)];
    await Promise.all(others.map((other) => other.copy()));
    await copier.copy();
    const copied = await started();
    for (const id of ids) expect(await reasonOf(copied.admit(signedIn(person(id)))), id).toBe("SUSPENDED");
    await Promise.all(others.map((other) => other.stop()));
  });

  it("says at once that nobody is known of a group, where the home ledger went away after it was read", async () => {
    const { name, root, person } = await organization();
    await one.directory.suspendPrincipal(root, { principalId: "ben", reason: "left" });
    await copier.copy();
    const proxy = await startProxy(home.appUrl);
    const db = createPool({ connectionString: proxy.url, max: 2, applicationName: "test", log: silent });
    const { directory } = await home.server({ db, copies: () => [place], copySeconds: 3_600, staleSeconds: 15 });
    const asked = { group: "nobody", needed: 1 };
    const requester = person("ada");
    expect(await directory.abroad.isReached(requester, asked, "decision")).toBe(false);
    await proxy.close();
    await directory.abroad.refresh(name);
    expect(await directory.abroad.isReached(requester, asked, "decision")).toBe(false);
    expect(directory.abroad.home.isDown()).toBe(true);
    await db.end();
  });

  it("is copied once when two servers do it at the same time", async () => {
    const { name, root, person } = await organization();
    for (const id of ["a", "b", "c"]) await one.directory.suspendPrincipal(root, { principalId: id, reason: "left" });
    const others = [copierOf(3_600_000), copierOf(3_600_000), copierOf(3_600_000)];
    await Promise.all(others.map((other) => other.copy()));
    const copied = await started();
    for (const id of ["a", "b", "c"]) {
      expect(await reasonOf(copied.admit(signedIn(person(id))))).toBe("SUSPENDED");
    }
    expect(copied.abroad.statusOf(name)?.position).toBeGreaterThan(0n);
    await Promise.all(others.map((other) => other.stop()));
  });
});

describe("copies that were changed", () => {
  const damaged = async (directory: Directory, person: Person) =>
    directory.admit(signedIn(person)).then(
      () => "admitted",
      (error: unknown) => (error instanceof LedgerDamagedError ? "damaged" : String(error)),
    );

  it("let nobody in: values that are gone, an entry that is gone, one that leaves a gap, one that no server signed", async () => {
    const changes: Readonly<Record<string, (ledger: string) => Promise<unknown>>> = {
      values: (ledger) =>
        unguarded(
          abroad.superuserUrl,
          `DELETE FROM oc_audit_payload WHERE ledger = '${ledger}' AND seq = (SELECT max(seq) FROM oc_audit_log WHERE ledger = '${ledger}' AND type = 'HOME_COPIED')`,
        ),
      entry: (ledger) =>
        unguarded(
          abroad.superuserUrl,
          `DELETE FROM oc_audit_log WHERE ledger = '${ledger}' AND seq = (SELECT max(seq) FROM oc_audit_log WHERE ledger = '${ledger}' AND type = 'HOME_COPIED')`,
        ),
      gap: async (ledger) => {
        const { rows } = await us.pool.query<{ version: number; state: { seq: string; hash: string } }>(
          "SELECT version, state FROM oc_state WHERE ledger = $1 AND kind = 'HOME_COPY'",
          [ledger],
        );
        const state = { seq: String(BigInt(rows[0]?.state.seq ?? 0) + 5n), hash: "a".repeat(64) };
        const fact = bodyOf<"HOME_COPIED">(callerFacts("system"), {
          type: "HOME_COPIED",
          home: { ledger: ledger.replace("/us", "/eu"), after: "1", ...state },
          copies: new Erasable([]),
          states: [{ kind: "HOME_COPY", id: "home", version: (rows[0]?.version ?? 0) + 1, state }],
        });
        await us.ledgers.append(ledger as `${string}/us`, fact);
      },
      signature: async (ledger) => {
        const state = { seq: "1", hash: "a".repeat(64) };
        const { rows } = await us.pool.query<{ version: number }>(
          "SELECT version FROM oc_state WHERE ledger = $1 AND kind = 'HOME_COPY'",
          [ledger],
        );
        const fact = bodyOf<"HOME_COPIED">(callerFacts("system"), {
          type: "HOME_COPIED",
          home: { ledger: ledger.replace("/us", "/eu"), after: "0", ...state },
          copies: new Erasable([]),
          states: [{ kind: "HOME_COPY", id: "home", version: (rows[0]?.version ?? 0) + 1, state }],
        });
        const { body, payload } = seal({ ...fact, id: newId(), signature: `e30..${"A".repeat(86)}` });
        await us.pool.query("SELECT * FROM oc_ledger_append($1, $2, $3)", [ledger, body, payload]);
      },
    };
    for (const [what, change] of Object.entries(changes)) {
      const { root, person, us: ledger } = await organization();
      await one.directory.suspendPrincipal(root, { principalId: "ben", reason: "left" });
      await copier.copy();
      await one.directory.suspendPrincipal(root, { principalId: "ada", reason: "left" });
      await copier.copy();
      expect(await reasonOf((await started()).admit(signedIn(person("ada")))), what).toBe("SUSPENDED");
      await change(ledger);
      expect(await damaged(await started(), person("ada")), what).toBe("damaged");
    }
  });
});
