import { type FlattenedJWS, flattenedVerify, importJWK } from "jose";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { factJwks, parseFactKeys } from "../../src/domain/identity/fact-keys.ts";
import { canonicalize, type JsonObject } from "../../src/facts/canonical.ts";
import { bodySchema, checkBody } from "../../src/facts/check/check.ts";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import { encode } from "../../src/facts/encode.ts";
import { entryText, GENESIS_HASH, type LedgerId, parseEntry } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { canPermit } from "../../src/facts/permits.ts";
import { VOCABULARY } from "../../src/facts/registry.ts";
import { signatureHeader, signatureProblem } from "../../src/facts/signature.ts";
import { signatureKeys } from "../../src/ledger/signatures/keys.ts";
import { FACT_KEY, FACT_KEYS } from "../support/fact-keys.ts";
import vectors from "../vectors/entry-v1.json" with { type: "json" };

const ledger = vectors.ledger as LedgerId;
const keys = signatureKeys(await parseFactKeys(vectors.jwks));

function problemOf(entry: string, of: string = ledger): string | undefined {
  const { recordedAt, body } = parseEntry(entry);
  return signatureProblem({ text: entry, ledger: of, recordedAt, signature: body.signature }, keys);
}

/** The same with jose, by what RFC 7515 says. */
async function verifiesByJose(entry: string): Promise<boolean> {
  const { signature: jws, ...unsigned } = parseEntry(entry).body;
  const [header = "", , signature = ""] = String(jws).split(".");
  const payload = Buffer.from(canonicalize(unsigned)).toString("base64url");
  const flattened: FlattenedJWS = { protected: header, payload, signature };
  return flattenedVerify(
    flattened,
    async ({ kid }) => importJWK(vectors.jwks.keys.find((key) => key.kid === kid) ?? {}),
    { algorithms: ["EdDSA"] },
  ).then(
    () => true,
    () => false,
  );
}

describe("signatures of the vectors", () => {
  it("are there exactly in the entries that can permit something, and valid", () => {
    const signed = vectors.entries.filter(({ body }) => canPermit(JSON.parse(body) as JsonObject));
    expect(signed.map(({ body }) => (JSON.parse(body) as JsonObject).type)).toEqual([
      "SESSION_STARTED",
      "ACTION_PROPOSED",
      "ACTION_APPROVED",
      "DELEGATION_MADE",
      "ACTION_PROPOSED",
      "ACTION_APPROVED",
      "DELEGATION_ENDED",
      "PRINCIPAL_INVITED",
      "POLICY_ADOPTED",
      "HOME_COPIED",
    ]);
    for (const { entry } of vectors.entries) {
      const expected = signed.some((one) => one.entry === entry) ? undefined : "the entry is not signed";
      expect(problemOf(entry)).toBe(expected);
    }
  });

  it.each(vectors.signatures)("$name: valid is $valid", ({ entry, valid }) => {
    expect(problemOf(entry) === undefined).toBe(valid);
  });

  it("verify as RFC 7515 says, with another library", async () => {
    for (const { entry, valid, name } of vectors.signatures) {
      if (valid) expect(await verifiesByJose(entry), name).toBe(true);
    }
    const changed = vectors.signatures.filter(({ name }) => name.endsWith("than was signed"));
    expect(changed).toHaveLength(3);
    for (const { entry, name } of changed) expect(await verifiesByJose(entry), name).toBe(false);
  });

  it("name what is wrong", () => {
    const named = (name: string) => problemOf(vectors.signatures.find((one) => one.name === name)?.entry ?? "");
    expect(named("by a key that is not published")).toContain("which is not known");
    expect(named("signed by a retired key, recorded a second later")).toContain("was retired before");
    expect(named("for another ledger")).toBe("the signature is for ledger vectors/us-1");
    expect(named("another verdict than was signed")).toContain("is not one of these facts");
    expect(named("a header with crit")).toBe("the signature is not of the form that signatures of facts have");
    const [valid] = vectors.signatures;
    expect(problemOf(valid?.entry ?? "", "vectors/us-1")).toBe("the signature is for ledger vectors/eu-1");
  });
});

describe("the encoder", () => {
  const approval = (more: UnsealedObject = {}): UnsealedObject => ({
    type: "ACTION_APPROVED",
    actor: { id: "approver" },
    states: [],
    ...more,
  });

  it("signs the canonical text of all other members, wherever the signature comes among them", () => {
    for (const more of [
      {},
      { zebra: 1 },
      { Zebra: 'ключ 👍 \u0001 " \\' },
      { note: new Erasable("free text") },
      { rest: { signature: "another" } },
    ]) {
      let unsigned = "";
      const { body, signed } = encode(approval(more), (text) => {
        unsigned = text;
        return FACT_KEY.sign(ledger, text);
      });
      const { signature, ...others } = JSON.parse(body) as JsonObject;
      expect(signed).toBe(true);
      expect(canonicalize(others)).toBe(unsigned);
      expect(canonicalize({ ...others, signature })).toBe(body);
      const recordedAt = "2026-11-26T10:00:00.000000Z";
      const text = entryText({ body, ledger, prevHash: GENESIS_HASH, recordedAt, seq: 1n });
      const entry = { text, ledger, recordedAt, signature };
      expect(signatureProblem(entry, signatureKeys(FACT_KEYS))).toBeUndefined();
      const other = { ...entry, text: text.replace('"approver"', '"approver2"') };
      expect(signatureProblem(other, signatureKeys(FACT_KEYS))).toContain("is not one of these facts");
    }
  });

  it("signs nothing else", () => {
    const { body, signed } = encode({ type: "NOTE" }, () => "signed");
    expect(signed).toBe(false);
    expect(body).not.toContain("signature");
  });

  it("refuses a ledger that no header can name", () => {
    expect(() => signatureHeader({ kid: FACT_KEY.kid, ledger: '"/eu' as LedgerId, iat: 1 })).toThrow(TypeError);
  });
});

describe("the rules of types", () => {
  const signature = `${Buffer.from("{}").toString("base64url")}..${"A".repeat(86)}`;
  const problems = (type: string, body: object) => checkBody({ type, ...body } as JsonObject).join("; ");

  it("demand a signature of every type that can permit something, and of no other", () => {
    for (const fact of VOCABULARY.facts.values()) {
      const schema = bodySchema(fact, VOCABULARY.states) as z.ZodObject;
      const member = schema.shape.signature;
      expect(member !== undefined, fact.type).toBe(fact.permits);
      // What was signed and refused could be recorded later if it depended on no version. Of acknowledgements, those who rely on
      // them count each id once.
      if (fact.permits && fact.type !== "LEDGER_ACKNOWLEDGED")
        expect(Object.keys(fact.moves), fact.type).not.toEqual([]);
      if (fact.permits) expect(member?.safeParse(undefined).success, fact.type).toBe(false);
    }
    const { signature: _none, ...unsigned } = JSON.parse(vectors.entries[3]?.body ?? "") as JsonObject;
    expect(problems("ACTION_APPROVED", unsigned)).toMatch(/^signature: /);
    const ended = JSON.parse(vectors.entries.at(-1)?.body ?? "") as JsonObject;
    expect(problems("SESSION_ENDED", { ...ended, signature })).toBe("signature: is not known");
  });
});

describe("published keys", () => {
  it("are read back as they were written, without those for other things", async () => {
    const retired = { ...FACT_KEY.published, exp: 1_790_000_000 };
    expect(await parseFactKeys(JSON.parse(JSON.stringify(factJwks([retired]))))).toEqual([retired]);
    const others = { keys: [{ ...FACT_KEY.published, purpose: "grants" }, ...factJwks(FACT_KEYS).keys] };
    expect(await parseFactKeys(others)).toEqual(FACT_KEYS.map((key) => ({ ...key, exp: undefined })));
  });

  it.each<readonly [string, unknown]>([
    ["nothing", {}],
    ["keys for grants alone", { keys: [{ ...FACT_KEY.published, purpose: "grants" }] }],
    ["a key of another sort", { keys: [{ ...FACT_KEY.published, crv: "Ed448", purpose: "facts" }] }],
    ["a key under another id", { keys: [{ ...FACT_KEY.published, kid: "k", purpose: "facts" }] }],
    ["an end that is no number", { keys: [{ ...FACT_KEY.published, exp: "never", purpose: "facts" }] }],
  ])("are refused when the file holds %s", async (_, value) => {
    await expect(parseFactKeys(value)).rejects.toThrow(TypeError);
  });
});
