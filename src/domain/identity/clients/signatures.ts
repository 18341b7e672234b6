import {
  type FieldOccurrence,
  isSignatureError,
  type SignatureComponent,
  type SignatureParameters,
  type Verifier,
  verifySignature,
} from "http-message-sig";
import { isInnerList, parseDictionary } from "structured-headers";
import { LedgerUnavailableError } from "../../../ledger/errors.ts";
import type { Use, Used, UsedOnce } from "../used-once.ts";
import { headerOf, type RequestFacts } from "./request.ts";
import { ALGORITHMS, type VerifyingKey } from "./verifying-key.ts";

/** Seconds a signature may be old. */
export const MAX_AGE = 300;
/** Seconds two clocks may differ. */
const CLOCK_SKEW = 10;
const MAX_FIELD = 8192;
const MAX_SIGNATURES = 4;
const MAX_COMPONENTS = 40;
const MAX_NONCE = 200;
const PARAMETERS = ["created", "expires", "keyid", "nonce", "tag"];

/** A signature is not valid; the message says why. */
export class InvalidSignatureError extends Error {
  override readonly name = "InvalidSignatureError";
}

/** A signature of a request, not verified yet. */
export interface Candidate {
  readonly label: string;
  readonly components: readonly { readonly name: string; readonly key?: string | undefined }[];
  readonly keyId: string;
}

/**
 * The signatures of a request (RFC 9421, section 4) whose `tag` is the given one, in order. Throws
 * InvalidSignatureError when the fields are too long or malformed.
 */
function candidates(request: RequestFacts, tag: string): readonly Candidate[] {
  const input = headerOf(request, "signature-input") ?? "";
  const signature = headerOf(request, "signature") ?? "";
  if (input.length > MAX_FIELD || signature.length > MAX_FIELD)
    throw new InvalidSignatureError("the signature fields are too long");
  let members: ReturnType<typeof parseDictionary>;
  try {
    members = parseDictionary(input);
  } catch (error) {
    throw new InvalidSignatureError("Signature-Input is malformed", { cause: error });
  }
  if (members.size > MAX_SIGNATURES) throw new InvalidSignatureError("there are too many signatures");
  return [...members].flatMap(([label, member]) => {
    if (!isInnerList(member)) return [];
    const [items, parameters] = member;
    const keyId = parameters.get("keyid");
    if (parameters.get("tag") !== tag || typeof keyId !== "string" || items.length > MAX_COMPONENTS) return [];
    const components = items.map(([name, of]) => ({ name: String(name), key: textOf(of.get("key")) }));
    return [{ label, components, keyId }];
  });
}

/**
 * The result of `attempt` for the first signature with that tag for which it does not throw InvalidSignatureError; undefined
 * when there is no signature with that tag. Throws the last error when it threw for all.
 */
export async function firstValid<Result>(
  request: RequestFacts,
  tag: string,
  attempt: (candidate: Candidate) => Promise<Result>,
): Promise<Result | undefined> {
  let refusal: InvalidSignatureError | undefined;
  for (const candidate of candidates(request, tag)) {
    try {
      return await attempt(candidate);
    } catch (error) {
      if (!(error instanceof InvalidSignatureError)) throw error;
      refusal = error;
    }
  }
  if (refusal !== undefined) throw refusal;
  return undefined;
}

/** What a signature has to be, besides valid. */
export interface Demand {
  /** Scheme, host and port that clients use. The signed authority must be this one, not that of the Host header. */
  readonly origin: string;
  readonly tag: string;
  readonly key: VerifyingKey;
  readonly components: readonly SignatureComponent[];
  /** Undefined: no signature is accepted. */
  readonly usedOnce: UsedOnce | undefined;
  /** The organization or agent that the key identifies, whose capacity the nonce counts towards. */
  readonly scope: string;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** Verifies `candidate` of `request`. Throws InvalidSignatureError for any doubt. */
export async function verifyRequest(request: RequestFacts, candidate: Candidate, demand: Demand): Promise<void> {
  const { origin, tag, key, components, usedOnce, scope, now } = demand;
  let parameters: SignatureParameters;
  try {
    const verified = await verifySignature(
      { kind: "request", method: request.method, targetUri: `${origin}${request.url}`, fields: fieldsOf(request) },
      {
        label: candidate.label,
        policy: {
          algorithms: ALGORITHMS,
          requiredComponents: components,
          requiredParameters: PARAMETERS,
          maxAge: MAX_AGE,
          clockSkew: CLOCK_SKEW,
          now,
        },
        resolveVerifier: (): Verifier => key,
      },
    );
    parameters = verified.parameters;
  } catch (error) {
    const reason = isSignatureError(error) ? error.message : "it cannot be verified";
    throw new InvalidSignatureError(reason, { cause: error });
  }
  const { created, expires, nonce, keyid, tag: signedTag } = parameters;
  if (signedTag !== tag || keyid !== candidate.keyId) {
    throw new InvalidSignatureError("another signature was verified than the one chosen");
  }
  if (created === undefined || expires === undefined || nonce === undefined || nonce.length > MAX_NONCE) {
    throw new InvalidSignatureError("the nonce is too long");
  }
  const until = Math.min(expires, created + MAX_AGE) + CLOCK_SKEW;
  const problem = await problemOf(usedOnce, { scope, holder: key.thumbprint, id: nonce, until, madeAt: created });
  if (problem !== undefined) throw new InvalidSignatureError(problem);
}

/** Why the nonce of a valid signature is refused; undefined: it is accepted, here and now alone. */
async function problemOf(usedOnce: UsedOnce | undefined, use: Use): Promise<string | undefined> {
  if (usedOnce === undefined) return "nonces are not accepted here";
  let used: Used;
  try {
    used = await usedOnce.use(use);
  } catch (error) {
    if (error instanceof LedgerUnavailableError) return "whether its nonce was used before cannot be found out now";
    throw error;
  }
  if (used === "USED") return "its nonce was seen before";
  if (used === "OVER") return "it is over by the clock of the database";
  return used === "FULL" ? "too many nonces were used lately" : undefined;
}

/** Whether a signature covers a component, with or without a `key` parameter. */
export function covers(candidate: Candidate, name: string): boolean {
  return candidate.components.some((component) => component.name === name);
}

/** Fields a signature can cover: one that is not ASCII cannot be (RFC 9421, section 2.1), and must not spoil the rest. */
function fieldsOf({ rawHeaders }: RequestFacts): FieldOccurrence[] {
  const fields: FieldOccurrence[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = rawHeaders.slice(at, at + 2);
    if (/^[\t -~]*$/.test(value) && /^[!#$%&'*+.^_`|~\w-]+$/.test(name)) fields.push({ name, value });
  }
  return fields;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
