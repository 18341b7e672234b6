import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bodySchema } from "../../src/facts/check/check.ts";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerEntry, LedgerId } from "../../src/facts/entry.ts";
import { canPermit } from "../../src/facts/permits.ts";
import { type FactType, VOCABULARY } from "../../src/facts/registry.ts";
import { readEntry } from "../../src/ledger/read.ts";
import { searchEntries } from "../../src/ledger/search.ts";
import { createSignatureCheck } from "../../src/ledger/signatures/check.ts";
import { createFactSigner, type FactSigner } from "../../src/ledger/signatures/signer.ts";
import { sampleOf } from "../facts/samples.ts";
import { FACT_KEYS, freshKey, type TestKey } from "../support/fact-keys.ts";
import { createLedgers, sealSigned, verifyLedger } from "../support/ledgers.ts";
import { listing, openScene, type Scene } from "./scene.ts";

let scene: Scene;
let stranger: TestKey;
beforeAll(async () => {
  scene = await openScene();
  stranger = await freshKey();
});
afterAll(() => scene.close());

/** A body of a type that can permit something, about things that no other entry is about. */
function bodyOfType(type: string): UnsealedObject {
  const fact = VOCABULARY.facts.get(type);
  if (fact === undefined) throw new Error(`${type} is not defined`);
  const {
    session: _open,
    signature: _unsigned,
    ...body
  } = sampleOf(bodySchema(fact, VOCABULARY.states)) as UnsealedObject;
  const [first] = (body.states ?? []) as readonly UnsealedObject[];
  const id = randomUUID();
  const named = "subject" in body ? { subject: { ...(body.subject as UnsealedObject), id } } : { action: id };
  return {
    ...body,
    ...("action" in body || "subject" in body ? named : {}),
    id: randomUUID(),
    ...(first === undefined ? {} : { states: [{ ...first, id }] }),
  };
}

const MARKED = [...VOCABULARY.facts.values()].filter(({ permits }) => permits).map(({ type }) => type as FactType);

/** Appends `body` with the server's login of the database, and returns the position of its entry. */
async function appendDirectly(ledger: LedgerId, body: string): Promise<bigint> {
  await scene.ledgers.ensure(ledger);
  const { rows } = await scene.pool.query<{ seq: string; refusal: string | null }>(
    "SELECT seq, refusal FROM oc_ledger_append($1, $2, '')",
    [ledger, body],
  );
  expect(rows[0]?.refusal).toBeNull();
  return BigInt(rows[0]?.seq ?? 0);
}

const badSignatures = async (ledger: LedgerId, seq: bigint) =>
  (await verifyLedger(scene.pool, ledger)).problems
    .filter((problem) => problem.verdict === "BAD_SIGNATURE" && problem.seq === seq)
    .map(({ detail }) => detail);

describe("a fact that can permit something, appended with the login of the server alone", () => {
  it("is of one of the types that are marked", () => {
    expect(MARKED.length).toBeGreaterThan(10);
    for (const type of MARKED) expect(canPermit(bodyOfType(type)), type).toBe(true);
  });

  it.each(MARKED)("%s is named by verification without a signature, and with one by another key", async (type) => {
    const ledger: LedgerId = `${type.toLowerCase().replaceAll("_", "-")}/eu`;
    const unsigned = JSON.parse(sealSigned(ledger, bodyOfType(type)).body) as Record<string, unknown>;
    delete unsigned.signature;
    const without = await appendDirectly(ledger, JSON.stringify(unsigned));
    expect(await badSignatures(ledger, without)).toEqual(["the entry is not signed"]);
    const foreign = await appendDirectly(ledger, sealSigned(ledger, bodyOfType(type), stranger.sign).body);
    expect(await badSignatures(ledger, foreign)).toEqual([
      `the signature is by key ${stranger.kid}, which is not known`,
    ]);
    const pretended = { ...stranger, kid: FACT_KEYS[0]?.kid ?? "" };
    const lying: FactSigner = createFactSigner(() => pretended);
    const named = await appendDirectly(ledger, sealSigned(ledger, bodyOfType(type), lying).body);
    expect(await badSignatures(ledger, named)).toEqual([expect.stringContaining("is not one of these facts")]);
    const copied = await appendDirectly(ledger, sealSigned("other/eu", bodyOfType(type)).body);
    expect(await badSignatures(ledger, copied)).toEqual(["the signature is for ledger other/eu"]);
    // The same by the key of the server is none of these.
    const right = await appendDirectly(ledger, sealSigned(ledger, bodyOfType(type)).body);
    expect(await badSignatures(ledger, right)).toEqual([]);
  });
});

describe("a fact that can permit something, appended by a server", () => {
  const suspended = (id: string) => listing("PRINCIPAL", id, 1, { kind: "AGENT", suspended: true, roles: [] });

  it("is signed, and verifies with the published keys and with no others", async () => {
    const ledger = "servers/eu";
    const entry = await scene.ledgers.append(ledger, { ...suspended("agent"), type: "PRINCIPAL_SUSPENDED" });
    expect(await verifyLedger(scene.pool, ledger)).toMatchObject({ verdict: "INTACT" });
    for (const keys of [[], [stranger.published], FACT_KEYS.map((key) => ({ ...key, exp: 1 }))]) {
      const { verdict, problems } = await verifyLedger(scene.pool, ledger, { keys });
      expect(verdict).toBe("BAD_SIGNATURE");
      expect(problems).toMatchObject([{ seq: entry.seq }]);
    }
  });

  it("is not found by the text of its signature", async () => {
    const ledger = "searched/eu";
    const { body } = await scene.ledgers.append(ledger, { ...suspended("agent"), type: "PRINCIPAL_ROLES_CHANGED" });
    const signature = String(body.signature);
    expect(await searchEntries(scene.pool, ledger, { text: "suspended" }, { limit: 5 })).toHaveLength(0);
    expect(await searchEntries(scene.pool, ledger, { text: "agent" }, { limit: 5 })).toHaveLength(1);
    for (const part of [signature, signature.slice(0, 30), signature.slice(-20)]) {
      expect(await searchEntries(scene.pool, ledger, { text: part }, { limit: 5 })).toEqual([]);
    }
  });

  it("is signed in every entry of several appended together", async () => {
    const ledger = "together/eu";
    const facts = ["a", "b", "c"].map((id) => ({ body: suspended(id) }));
    const appended = await scene.ledgers.appendTogether(ledger, facts);
    expect(appended.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    expect(await verifyLedger(scene.pool, ledger)).toMatchObject({ verdict: "INTACT", checkedEntries: 4n });
  });
});

describe("createSignatureCheck", () => {
  const ledger = "checked/eu";
  const read = async (seq: bigint) => (await readEntry(scene.pool, ledger, seq)) as LedgerEntry;

  it("accepts what a server signed, and nothing else", async () => {
    const { isSigned } = createSignatureCheck({ keys: () => FACT_KEYS });
    const appended = await scene.ledgers.append(
      ledger,
      listing("PRINCIPAL", "p", 1, { kind: "AGENT", roles: [], suspended: false }),
    );
    const stored = await read(appended.seq);
    for (let times = 0; times < 2; times += 1) {
      expect(isSigned(stored)).toBe(true);
      expect(isSigned({ ...stored, hash: "0".repeat(64) })).toBe(false);
      expect(isSigned({ ...stored, ledger: "other/eu" })).toBe(false);
      // Other facts below a hash that is known.
      const entry = stored.entry.replace('"suspended":false', '"suspended":true');
      expect(entry).not.toBe(stored.entry);
      expect(isSigned({ ...stored, entry })).toBe(false);
    }
    const unsigned = await scene.ledgers.append(ledger, { type: "NOTE", actor: { id: "tester" } });
    expect(isSigned(await read(unsigned.seq))).toBe(false);
    const forged = sealSigned(ledger, { ...bodyOfType("PRINCIPAL_UPDATED") }, stranger.sign);
    expect(isSigned(await read(await appendDirectly(ledger, forged.body)))).toBe(false);
  });

  it("verifies nothing that this process appended, and everything by keys that came later", async () => {
    let keys: typeof FACT_KEYS = [];
    const { isSigned, appended: onSigned } = createSignatureCheck({ keys: () => keys });
    const own = createLedgers({ pool: scene.pool, capacity: 10, onSigned });
    const state = { kind: "AGENT", roles: [], suspended: false };
    const mine = await own.append(ledger, listing("PRINCIPAL", "mine", 1, state));
    const other = await scene.ledgers.append(ledger, listing("PRINCIPAL", "other", 1, state));
    await own.close();
    expect(isSigned(await read(mine.seq))).toBe(true);
    expect(isSigned(await read(other.seq))).toBe(false);
    keys = FACT_KEYS;
    expect(isSigned(await read(other.seq))).toBe(true);
  });
});
