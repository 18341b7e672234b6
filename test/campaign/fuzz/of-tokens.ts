import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { DemoName } from "../../../src/domain/identity/demo-principals.ts";
import type { Choices } from "./choices.ts";
import { faultOf } from "./responses.ts";
import { PATIENCE, type Target, type World } from "./target.ts";
import { damaged, jsonOf, textOf } from "./values.ts";

const HOLDERS: readonly DemoName[] = ["agent", "approver", "admin", "outsider"];
const HEADERS = ["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c", "zip", "enc"];
const CLAIMS = [
  "sub",
  "iss",
  "aud",
  "exp",
  "nbf",
  "iat",
  "jti",
  "roles",
  "groups",
  "org",
  "organization",
  "kind",
  "act",
  "cnf",
  "email",
  "name",
  "client_id",
  "azp",
];
const ALGORITHMS = ["none", "None", "HS256", "RS256", "ES256", "EdDSA", "Ed25519", "PBES2-HS256+A128KW", ""];
/** Of nobody the server knows. */
const { privateKey, publicKey } = generateKeyPairSync("ed25519");

const encoded = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

function changed(choices: Choices, part: string, names: readonly string[]): string {
  const members = JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;
  for (let times = choices.below(3); times >= 0; times -= 1) {
    const name = choices.oneIn(10) ? textOf(choices) : choices.pick(names);
    const value = name === "alg" ? choices.pick(ALGORITHMS) : jsonOf(choices);
    if (choices.oneIn(4)) delete members[name];
    else if (name !== "__proto__") members[name] = value;
  }
  if (choices.oneIn(6)) return encoded(`${JSON.stringify(members).slice(0, -1)},"sub":"admin"}`);
  return choices.oneIn(20) ? encoded(damaged(choices, JSON.stringify(members))) : encoded(members);
}

function signedBy(key: KeyObject, header: string, payload: string): string {
  return sign(null, Buffer.from(`${header}.${payload}`), key).toString("base64url");
}

function alteredToken(choices: Choices, tokens: readonly string[]): string {
  const parts = choices.pick(tokens).split(".") as [string, string, string];
  const others = choices.pick(tokens).split(".") as [string, string, string];
  switch (choices.below(7)) {
    case 0:
      return [changed(choices, parts[0], HEADERS), parts[1], parts[2]].join(".");
    case 1:
      return [parts[0], changed(choices, parts[1], CLAIMS), parts[2]].join(".");
    case 2: {
      const header = changed(
        choices,
        encoded({ alg: "EdDSA", typ: "at+jwt", jwk: publicKey.export({ format: "jwk" }) }),
        HEADERS,
      );
      const payload = changed(choices, parts[1], CLAIMS);
      return [header, payload, signedBy(privateKey, header, payload)].join(".");
    }
    case 3:
      return parts.map((part, at) => (choices.oneIn(2) ? part : (others[at] ?? ""))).join(".");
    case 4:
      return [...parts, ...choices.some(3, () => encoded(jsonOf(choices)))].slice(choices.below(3)).join(".");
    case 5:
      return textOf(choices);
    default:
      return damaged(choices, parts.join("."));
  }
}

/** Whether this is one of `tokens`, but for bits of base64 that mean nothing: whoever sends it knows that token. */
function isSame(token: string, tokens: readonly string[]): boolean {
  const [header, payload, signature] = token.trim().split(".");
  return tokens.some((original) => {
    const parts = original.split(".");
    const bytes = (text: string | undefined) => Buffer.from(text ?? "", "base64url");
    return header === parts[0] && payload === parts[1] && bytes(signature).equals(bytes(parts[2]));
  });
}

const isHeaderValue = (text: string) => /^[\t\x20-\x7e\x80-\xff]*$/.test(text);

export function tokens(world: World): Target {
  return {
    name: "tokens",
    async try(choices) {
      const honest = await Promise.all(HOLDERS.map((holder) => world.app.token(holder)));
      const token = alteredToken(choices, honest);
      const scheme = choices.oneIn(5)
        ? choices.pick(["bearer", "BEARER", "DPoP", "Basic", "Bearer ", "", "Bearer,"])
        : "Bearer";
      const proof = choices.oneIn(5) ? { dpop: alteredToken(choices, honest) } : {};
      const cookie = choices.oneIn(8) ? { cookie: `countersign_session=${alteredToken(choices, honest)}` } : {};
      const headers = { authorization: `${scheme} ${token}`, ...proof, ...cookie };
      if (!Object.values(headers).every(isHeaderValue)) return undefined;
      const response = await fetch(world.app.url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: '{"query":"{viewer{id}}"}',
        signal: AbortSignal.timeout(PATIENCE),
      });
      const text = await response.text();
      // By Node, before there is a request.
      if (response.status === 431) return undefined;
      const fault = faultOf(world, response.status, text);
      if (fault !== undefined) return fault;
      const { data } = JSON.parse(text) as { readonly data?: { readonly viewer?: unknown } | null };
      const admitted = data?.viewer !== undefined && data.viewer !== null;
      return admitted && !isSame(token, honest) ? `admitted with ${JSON.stringify(headers)}: ${text}` : undefined;
    },
  };
}
