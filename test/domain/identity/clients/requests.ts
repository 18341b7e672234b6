import { generateKeyPairSync, hash, type JsonWebKey, type KeyObject, sign } from "node:crypto";
import { createSignature, type SignatureComponent } from "http-message-sig";
import {
  type ClientIdentifier,
  type ClientIdentifierOptions,
  createClientIdentifier,
} from "../../../../src/domain/identity/client-identity.ts";
import type { RequestFacts } from "../../../../src/domain/identity/clients/request.ts";
import { verifyingKey } from "../../../../src/domain/identity/clients/verifying-key.ts";

export const PUBLIC_URL = "https://api.example.com";

type Headers = Readonly<Record<string, string>>;

/** A request as Node would hand it over, from an address nobody knows unless said. */
export function request(headers: Headers, options: Partial<Omit<RequestFacts, "headers">> = {}): RequestFacts {
  return {
    method: "POST",
    url: "/graphql",
    rawHeaders: Object.entries(headers).flat(),
    remoteAddress: "198.51.100.7",
    ...options,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  };
}

export function identifier(options: Partial<ClientIdentifierOptions> = {}): ClientIdentifier {
  return createClientIdentifier({
    trustedProxies: [],
    signatureAgents: {},
    gatewayKey: () => undefined,
    publicUrl: () => PUBLIC_URL,
    ...options,
  });
}

export interface TestKey {
  readonly jwk: JsonWebKey;
  /** RFC 7638 thumbprint. */
  readonly id: string;
  readonly algorithm: string;
  sign(data: Uint8Array): Uint8Array;
}

const made = {
  ed25519: () => generateKeyPairSync("ed25519"),
  "ecdsa-p256-sha256": () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "rsa-pss-sha512": () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
};

export function testKey(algorithm: keyof typeof made = "ed25519"): TestKey {
  const { publicKey, privateKey } = made[algorithm]();
  const jwk = publicKey.export({ format: "jwk" });
  return { jwk, id: verifyingKey(jwk).thumbprint, algorithm, sign: (data) => signWith(algorithm, privateKey, data) };
}

function signWith(algorithm: keyof typeof made, key: KeyObject, data: Uint8Array): Uint8Array {
  switch (algorithm) {
    case "ed25519":
      return sign(null, data, key);
    case "ecdsa-p256-sha256":
      return sign("sha256", data, { key, dsaEncoding: "ieee-p1363" });
    case "rsa-pss-sha512":
      return sign("sha512", data, { key, padding: 6, saltLength: 64 });
  }
}

export interface Signing {
  readonly key: TestKey;
  readonly tag: string;
  readonly components: readonly SignatureComponent[];
  /** Over what a signature normally has; undefined leaves a parameter out. */
  readonly parameters?: Readonly<Record<string, string | number | undefined>>;
  readonly label?: string;
  /** Where the signer believes the request goes. */
  readonly url?: string;
  readonly method?: string;
}

let nonces = 0;

/** The headers of a request with those of a valid signature, by default as of now and for a minute. */
export async function signed(headers: Headers, signing: Signing): Promise<Headers> {
  const { key, tag, components, label = "sig1", url = `${PUBLIC_URL}/graphql`, method = "POST" } = signing;
  const created = Math.floor(Date.now() / 1000);
  const parameters = {
    created,
    expires: created + 60,
    nonce: `nonce-${++nonces}`,
    keyid: key.id,
    tag,
    ...signing.parameters,
  };
  const fields = Object.entries(headers).map(([name, value]) => ({ name, value }));
  const { signature, signatureInput } = await createSignature(
    { kind: "request", method, targetUri: url, fields },
    { label, components, parameters, signer: { algorithm: key.algorithm, sign: key.sign } },
  );
  const added = (name: string, value: string) => (headers[name] === undefined ? value : `${headers[name]}, ${value}`);
  return {
    ...headers,
    "signature-input": added("signature-input", signatureInput),
    signature: added("signature", signature),
  };
}

/** A Content-Digest (RFC 9530) of `body`. */
export function contentDigest(body: string): string {
  return `sha-256=:${hash("sha256", body, "base64")}:`;
}
