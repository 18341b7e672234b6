import { sign } from "node:crypto";
import { canonicalize, type JsonObject } from "../../src/facts/canonical.ts";
import { entryText, GENESIS_HASH, type LedgerId } from "../../src/facts/entry.ts";
import type { FactKey } from "../../src/facts/signature.ts";
import { FACT_KEY, keyOfSeed, type TestKey } from "../support/fact-keys.ts";

/** One entry by itself, whose signature verifies by the keys of the vectors or does not. */
export interface SignatureVector {
  readonly name: string;
  readonly valid: boolean;
  readonly entry: string;
}

const RETIRED = await keyOfSeed(Buffer.alloc(32, 8));
const UNKNOWN = await keyOfSeed(Buffer.alloc(32, 7));
const EXP = 1_790_000_000;
/** The last second in which entries may be recorded that the retired key signed, and the next. */
const IN_TIME = "2026-09-21T14:13:20.999999Z";
const TOO_LATE = "2026-09-21T14:13:21.000000Z";

export const VECTOR_KEYS: readonly FactKey[] = [FACT_KEY.published, { ...RETIRED.published, exp: EXP }];

const base64url = (text: string | Uint8Array) => Buffer.from(text).toString("base64url");

/** Vectors made of `body`, that of an approval, without its signature. */
export function signatureVectors(ledger: LedgerId, body: JsonObject): readonly SignatureVector[] {
  const unsigned = canonicalize(body);
  const members = { alg: "EdDSA", iat: EXP, kid: FACT_KEY.kid, ledger, typ: "countersign-fact+jws" };
  const jws = (header: object, key: TestKey = FACT_KEY, content = unsigned) => {
    const protectedHeader = base64url(JSON.stringify(header));
    const signature = sign(null, Buffer.from(`${protectedHeader}.${base64url(content)}`), key.privateKey);
    return [protectedHeader, base64url(content), base64url(signature)] as const;
  };
  const detached = ([header, , signature]: readonly [string, string, string]) => `${header}..${signature}`;
  const entry = (signature: string | undefined, changes: JsonObject = {}, recordedAt = IN_TIME) => {
    const text = canonicalize({ ...body, ...changes, signature });
    return entryText({ body: text, ledger, prevHash: GENESIS_HASH, recordedAt, seq: 1n });
  };
  const right = jws(members);
  const [header, content, signature] = right;
  const retired = detached(jws({ ...members, kid: RETIRED.kid }, RETIRED));
  const decision = { ...(body.decision as JsonObject), verdict: "DENY" };
  const state = (body.states as readonly JsonObject[])[0] as JsonObject;
  const denied = canonicalize({ ...body, decision, signature: detached(right) });
  const made: readonly (readonly [name: string, valid: boolean, entry: string])[] = [
    ["signed", true, entry(detached(right))],
    ["signed by a retired key, recorded in the last second of it", true, entry(retired)],
    ["signed by a retired key, recorded a second later", false, entry(retired, {}, TOO_LATE)],
    ["not signed", false, entry(undefined)],
    ["by a key that is not published", false, entry(detached(jws({ ...members, kid: UNKNOWN.kid }, UNKNOWN)))],
    ["by another key than it names", false, entry(detached(jws(members, UNKNOWN)))],
    ["for another ledger", false, entry(detached(jws({ ...members, ledger: "vectors/us-1" })))],
    ["another verdict than was signed", false, entry(detached(right), { decision })],
    ["another version than was signed", false, entry(detached(right), { states: [{ ...state, version: 3 }] })],
    ["a member more than was signed", false, entry(detached(right), { traceId: "0af7651916cd43dd8448eb211c80319c" })],
    ["alg none, without a signature", false, entry(`${base64url(JSON.stringify({ ...members, alg: "none" }))}..`)],
    ["alg none, with one", false, entry(detached(jws({ ...members, alg: "none" })))],
    ["alg HS256", false, entry(detached(jws({ ...members, alg: "HS256" })))],
    ["another typ", false, entry(detached(jws({ ...members, typ: "countersign-grant+jwt" })))],
    ["no typ", false, entry(detached(jws({ ...members, typ: undefined })))],
    ["a header with crit", false, entry(detached(jws({ ...members, crit: ["iat"] })))],
    ["a header with the key itself", false, entry(detached(jws({ ...members, jwk: UNKNOWN.published }, UNKNOWN)))],
    [
      "a header whose members are in another order",
      false,
      entry(detached(jws(Object.fromEntries(Object.entries(members).reverse())))),
    ],
    ["content attached", false, entry([header, content, signature].join("."))],
    [
      "unused bits set in the last character",
      false,
      entry(`${header}..${signature.slice(0, -1)}${unusedBits(signature)}`),
    ],
    ["the signature padded", false, entry(`${header}..${signature}==`)],
    ["a second body behind the one that was signed", false, `${entry(detached(right)).slice(0, -1)},"body":${denied}}`],
    [
      "a second body before the rest of the entry",
      false,
      entry(detached(right)).replace(',"ledger"', `,"body":${denied},"ledger"`),
    ],
  ];
  return made.map(([name, valid, text]) => ({ name, valid, entry: text }));
}

/** The next character behind the last of `text`: the 64th byte ends four bits before it. */
function unusedBits(text: string): string {
  return String.fromCharCode(text.charCodeAt(text.length - 1) + 1);
}
