import { randomUUID } from "node:crypto";
import { base64url, CompactSign, type CryptoKey, generateKeyPair, type KeyObject } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Actions } from "../../../src/domain/actions/actions.ts";
import { GRANT_ISSUER, GRANT_TYPE } from "../../../src/domain/actions/grants.ts";
import { termsOf } from "../../../src/domain/actions/terms.ts";
import type { LedgerEntry, LedgerId } from "../../../src/facts/entry.ts";
import { ENTRY_COLUMNS, ENTRY_TABLES, type EntryRow, toEntry } from "../../../src/ledger/read.ts";
import {
  agent,
  approver,
  auditor,
  calling,
  createWorld,
  entriesOf,
  LEDGER,
  outsider,
  type Process,
  read,
  refusalOf,
  type World,
  write,
} from "../support.ts";

let world: World;
let process: Process;
let actions: Actions;

beforeAll(async () => {
  world = await createWorld();
  process = await world.process();
  actions = process.actions;
});
afterAll(() => world.close());

async function allowed() {
  const { action, grant } = await actions.propose(calling(agent), read());
  return { id: action.state.id, digest: termsOf(action.proposal).digest, token: grant!.token };
}

/** What the ledger says about the last attempt on the action. */
async function lastOf(id: string) {
  const last = (await entriesOf(process.pool, id)).at(-1);
  return { type: last?.type, reason: last?.body.reason, actor: (last?.body.actor as { id?: string } | undefined)?.id };
}

/** Refusals of tokens that named no action, oldest first. */
async function refusedNowhere(ledger: LedgerId = LEDGER): Promise<LedgerEntry[]> {
  const { rows } = await process.pool.query<EntryRow>(
    `SELECT ${ENTRY_COLUMNS} FROM ${ENTRY_TABLES}
      WHERE e.ledger = $1 AND e.type = 'GRANT_REFUSED' AND e.action_id IS NULL ORDER BY e.seq`,
    [ledger],
  );
  return rows.map((row) => toEntry(ledger, row));
}

async function claimsOf(token: string) {
  return JSON.parse(new TextDecoder().decode(base64url.decode(token.split(".")[1]!))) as Record<string, unknown>;
}

const sign = (
  claims: object,
  header: { alg: string; typ?: string },
  key: CryptoKey | KeyObject = world.keys.grants.privateKey,
) => new CompactSign(new TextEncoder().encode(JSON.stringify(claims))).setProtectedHeader(header).sign(key);

describe("a grant", () => {
  it("names its action, digest, one reader and an end, and nothing else", async () => {
    const { id, digest, token } = await allowed();
    expect(await claimsOf(token)).toEqual({
      iss: GRANT_ISSUER,
      aud: "agent",
      jti: expect.any(String),
      action: id,
      digest,
      iat: expect.any(Number),
      exp: expect.any(Number),
    });
  });

  it("is stored as a hash only", async () => {
    const { id, token } = await allowed();
    const [entry] = await entriesOf(process.pool, id);
    expect(JSON.stringify([entry?.body, entry?.payload])).not.toContain(token.split(".")[2]);
  });

  it("is spent once; the replay is recorded", async () => {
    const { id, digest, token } = await allowed();
    await actions.redeemGrant(calling(agent), { token, digest });
    expect((await refusalOf(actions.redeemGrant(calling(agent), { token, digest }))).code).toBe("GRANT_SPENT");
    expect(await lastOf(id)).toEqual({ type: "GRANT_REFUSED", reason: "GRANT_SPENT", actor: "agent" });
    await actions.complete(calling(agent), { actionId: id, outcome: "FAILED", error: "no" });
    expect((await refusalOf(actions.redeemGrant(calling(agent), { token, digest }))).code).toBe("GRANT_SPENT");
  });

  it.each([
    ["another agent", { ...agent, id: "agent-2" }],
    ["the same agent acting for another person", { ...agent, onBehalfOf: auditor }],
    ["a person", approver],
  ])("is refused to %s, who is recorded", async (_, principal) => {
    const { id, digest, token } = await allowed();
    expect((await refusalOf(actions.redeemGrant(calling(principal), { token, digest }))).code).toBe("GRANT_FOREIGN");
    expect(await lastOf(id)).toEqual({ type: "GRANT_REFUSED", reason: "GRANT_FOREIGN", actor: principal.id });
    expect((await refusalOf(actions.claimGrant(calling(principal), { actionId: id }))).code).toBe("GRANT_FOREIGN");
    expect((await actions.redeemGrant(calling(agent), { token, digest })).action.state.status).toBe("EXECUTING");
  });

  it("of a caller that proved to hold a key is bound to that key, claimed again or not", async () => {
    const holder = { ...calling(agent), key: "thumbprint-of-the-agent" };
    const { action, grant } = await actions.propose(holder, read());
    const { id } = action.state;
    const { digest } = termsOf(action.proposal);
    const first = grant!.token;
    expect(await claimsOf(first)).toMatchObject({ cnf: { jkt: holder.key } });
    for (const thief of [calling(agent), { ...calling(agent), key: "another" }]) {
      expect((await refusalOf(actions.redeemGrant(thief, { token: first, digest }))).code).toBe("GRANT_FOREIGN");
      expect(await lastOf(id)).toMatchObject({ type: "GRANT_REFUSED", reason: "GRANT_FOREIGN" });
    }
    const second = (await actions.claimGrant(holder, { actionId: id })).grant.token;
    expect((await refusalOf(actions.redeemGrant(calling(agent), { token: second, digest }))).code).toBe(
      "GRANT_FOREIGN",
    );
    expect((await actions.redeemGrant(holder, { token: second, digest })).action.state.status).toBe("EXECUTING");
  });

  it("is unknown in another organization", async () => {
    const { id, digest, token } = await allowed();
    const stranger = calling({ ...agent, organization: outsider.organization });
    expect((await refusalOf(actions.redeemGrant(stranger, { token, digest }))).code).toBe("GRANT_INVALID");
    expect((await lastOf(id)).type).toBe("ACTION_PROPOSED");
    const [refused] = await refusedNowhere("globex/eu");
    expect(refused?.body).toMatchObject({ actor: { id: "agent" }, reason: "GRANT_INVALID" });
    expect(refused?.entry).not.toContain(id);
    expect(refused?.entry).not.toContain(digest.slice(7));
  });

  it("is refused for another digest", async () => {
    const { id, digest, token } = await allowed();
    const other = `sha256:${"0".repeat(64)}`;
    expect((await refusalOf(actions.redeemGrant(calling(agent), { token, digest: other }))).code).toBe(
      "DIGEST_MISMATCH",
    );
    expect(await lastOf(id)).toMatchObject({ type: "GRANT_REFUSED", reason: "DIGEST_MISMATCH" });
    await actions.redeemGrant(calling(agent), { token, digest });
  });

  it("is voided by claiming again, and the fresh one works", async () => {
    const { id, digest, token } = await allowed();
    const second = await actions.claimGrant(calling(agent), { actionId: id });
    const third = await actions.claimGrant(calling(agent), { actionId: id });
    expect(third.grant.expiresAt).toEqual(second.grant.expiresAt);
    for (const voided of [token, second.grant.token]) {
      expect((await refusalOf(actions.redeemGrant(calling(agent), { token: voided, digest }))).code).toBe("GRANT_VOID");
    }
    const { action } = await actions.redeemGrant(calling(agent), { token: third.grant.token, digest });
    expect(action.state.status).toBe("EXECUTING");
    expect((await refusalOf(actions.claimGrant(calling(agent), { actionId: id }))).code).toBe("GRANT_SPENT");
  });

  it("expires by the database's clock, claimed again or not", async () => {
    const brief = await world.process({ grantTtl: 1 });
    const { action, grant } = await brief.actions.propose(calling(agent), read());
    const id = action.state.id;
    await brief.pool.query("SELECT pg_sleep_until($1)", [new Date(grant!.expiresAt.getTime() + 1)]);
    const { digest } = termsOf(action.proposal);
    const late = await refusalOf(brief.actions.redeemGrant(calling(agent), { token: grant!.token, digest }));
    expect(late.code).toBe("GRANT_EXPIRED");
    expect(await lastOf(id)).toMatchObject({ type: "GRANT_REFUSED", reason: "GRANT_EXPIRED" });
    expect((await refusalOf(brief.actions.claimGrant(calling(agent), { actionId: id }))).code).toBe("GRANT_EXPIRED");
  });

  it("is there for an approved action only", async () => {
    const { action } = await actions.propose(calling(agent), write());
    const claim = () => refusalOf(actions.claimGrant(calling(agent), { actionId: action.state.id }));
    expect((await claim()).code).toBe("NOT_APPROVED");
    expect((await lastOf(action.state.id)).type).toBe("ACTION_PROPOSED");
  });
});

describe("a forged grant", () => {
  async function expectInvalid(token: string, digest: string, id?: string): Promise<void> {
    expect((await refusalOf(actions.redeemGrant(calling(agent), { token, digest }))).code).toBe("GRANT_INVALID");
    if (id !== undefined) expect(await lastOf(id)).toMatchObject({ type: "GRANT_REFUSED", reason: "GRANT_INVALID" });
  }

  it.each([
    ["with a changed claim", (token: string) => alter(token, (claims) => ({ ...claims, exp: 99_999_999_999 }))],
    ["without a signature", (token: string) => `${token.slice(0, token.lastIndexOf(".") + 1)}`],
    ["with a changed signature", (token: string) => flip(token)],
    ["with alg none", (token: string) => `${encode({ alg: "none", typ: GRANT_TYPE })}.${token.split(".")[1]}.`],
    [
      "with alg HS256 over the public key",
      (token: string) => `${encode({ alg: "HS256", typ: GRANT_TYPE })}.${token.split(".").slice(1).join(".")}`,
    ],
  ])("%s is refused, and recorded against its action", async (_, forge) => {
    const { id, digest, token } = await allowed();
    await expectInvalid(forge(token), digest, id);
    await actions.redeemGrant(calling(agent), { token, digest });
  });

  it("of another key is refused, and recorded", async () => {
    const { id, digest, token } = await allowed();
    const { privateKey } = await generateKeyPair("EdDSA");
    const forged = await sign(await claimsOf(token), { alg: "EdDSA", typ: GRANT_TYPE }, privateKey);
    await expectInvalid(forged, digest, id);
  });

  it("of the issuer's key, or of another type, is refused", async () => {
    const { id, digest, token } = await allowed();
    const claims = await claimsOf(token);
    await expectInvalid(
      await sign(claims, { alg: "EdDSA", typ: GRANT_TYPE }, world.keys.issuer.privateKey),
      digest,
      id,
    );
    await expectInvalid(await sign(claims, { alg: "EdDSA", typ: "at+jwt" }), digest, id);
    await expectInvalid(await sign(claims, { alg: "EdDSA" }), digest, id);
  });

  it("signed by us but never issued is refused", async () => {
    const { id, digest, token } = await allowed();
    const claims = await claimsOf(token);
    const header = { alg: "EdDSA", typ: GRANT_TYPE };
    await expectInvalid(await sign({ ...claims, iat: 1 }, header), digest, id);
    const unknown = await sign({ ...claims, jti: randomUUID() }, header);
    expect((await refusalOf(actions.redeemGrant(calling(agent), { token: unknown, digest }))).code).toBe("GRANT_VOID");
  });

  it("with missing or odd claims is refused", async () => {
    const { digest, token } = await allowed();
    const claims = await claimsOf(token);
    const header = { alg: "EdDSA", typ: GRANT_TYPE };
    for (const odd of [{ ...claims, iss: "x" }, { ...claims, action: "x" }, { ...claims, aud: ["agent"] }, {}, []]) {
      await expectInvalid(await sign(odd, header), digest);
    }
  });

  it("that names no known action is refused, and recorded without its content", async () => {
    const { digest, token } = await allowed();
    const nowhere = await sign({ ...(await claimsOf(token)), action: randomUUID() }, { alg: "EdDSA", typ: GRANT_TYPE });
    const before = (await refusedNowhere()).length;
    const tokens = ["", ".", "..", "a.b.c", "\ud800", "x".repeat(100_000), nowhere];
    for (const token of tokens) {
      const refusal = await refusalOf(actions.redeemGrant(calling(agent), { token, digest }));
      expect(refusal).toMatchObject({ code: "GRANT_INVALID", path: ["token"], entry: { type: "GRANT_REFUSED" } });
    }
    const recorded = (await refusedNowhere()).slice(before);
    expect(recorded).toHaveLength(tokens.length);
    for (const { body, entry, payload } of recorded) {
      expect(Object.keys(body).sort()).toEqual(["actor", "client", "id", "onBehalfOf", "reason", "type"]);
      expect(body).toMatchObject({ actor: { id: "agent" }, onBehalfOf: { id: "member" }, reason: "GRANT_INVALID" });
      expect(entry.length + JSON.stringify(payload).length).toBeLessThan(2000);
    }
  });
});

const encode = (value: object) => base64url.encode(JSON.stringify(value));

function alter(token: string, change: (claims: object) => object): string {
  const [header, payload = "", signature] = token.split(".");
  const claims = JSON.parse(new TextDecoder().decode(base64url.decode(payload))) as object;
  return [header, encode(change(claims)), signature].join(".");
}

/** Changes a bit in the middle of the signature. */
function flip(token: string): string {
  const at = token.lastIndexOf(".") + 20;
  return token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
}
