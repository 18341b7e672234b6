import { component } from "http-message-sig";
import { describe, expect, it } from "vitest";
import { createUsedOnce } from "../../../../src/domain/identity/used-once.ts";
import { useDatabase } from "../use-database.ts";
import { identifier, PUBLIC_URL, request, type Signing, signed, testKey } from "./requests.ts";

const TAG = "web-bot-auth";
const chatgpt = testKey();
const curve = testKey("ecdsa-p256-sha256");
const rsa = testKey("rsa-pss-sha512");
const stranger = testKey();
const signatureAgents = {
  "https://chatgpt.com": { keys: [chatgpt.jwk, curve.jwk] },
  "https://agent.example.net": { keys: [rsa.jwk] },
};
const usedOnce = createUsedOnce({ db: useDatabase() });
const clients = identifier({ signatureAgents, usedOnce });

const CHATGPT = '"https://chatgpt.com"';
const RSA = { parameters: { alg: "rsa-pss-sha512" } };
const components = ["@authority", "@method", "@path", "signature-agent"];

async function identified(agent: string, signing: Partial<Signing> = {}, headers: Record<string, string> = {}) {
  const sent = await signed(
    { ...headers, "signature-agent": agent },
    { key: chatgpt, tag: TAG, components, ...signing },
  );
  return clients.identify(request(sent));
}

describe("an agent that signs its requests", () => {
  it.each([
    ["with Ed25519", chatgpt, CHATGPT, "chatgpt"],
    ["with ECDSA on P-256", curve, CHATGPT, "chatgpt"],
    ["with RSA-PSS", rsa, '"https://agent.example.net"', "agent.example.net"],
    [
      "and names its directory's address",
      chatgpt,
      '"https://chatgpt.com/.well-known/http-message-signatures-directory"',
      "chatgpt",
    ],
  ])("%s is known", async (_name, key, agent, name) => {
    const identity = await identified(agent, { key }, { "user-agent": "curl/8.5.0" });
    expect(identity).toMatchObject({
      name,
      confidence: "SIGNED",
      modelConfidence: "UNKNOWN",
      evidence: { "signature-agent": agent, "user-agent": "curl/8.5.0" },
    });
    expect(identity.evidence).not.toHaveProperty("signature-refused");
  });

  it("may name itself as a member of a dictionary, and sign the whole address", async () => {
    const member = component("signature-agent", { key: "sig1" });
    const agent = `other="https://elsewhere.example", sig1=${CHATGPT}`;
    expect(await identified(agent, { components: ["@target-uri", member] })).toMatchObject({ name: "chatgpt" });
  });

  it("adds the version of its own header", async () => {
    const identity = await identified(CHATGPT, {}, { "user-agent": "openai-mcp/1.0.0 (ChatGPT)" });
    expect(identity).toMatchObject({ name: "chatgpt", version: "1.0.0", confidence: "SIGNED" });
  });
});

describe("an agent's signature", () => {
  const seconds = Math.floor(Date.now() / 1000);
  it.each([
    ["of an unknown key", CHATGPT, { key: stranger }, /no listed agent/],
    ["of another agent's key", CHATGPT, { key: rsa }, /no listed agent/],
    ["with a key that is not the one named", CHATGPT, { key: { ...stranger, id: chatgpt.id } }, /verification failed/],
    ["of an unlisted agent", '"https://evil.example"', {}, /no listed agent/],
    ["of an agent without TLS", '"http://chatgpt.com"', {}, /no https origin/],
    ["of something that is no address", '"chatgpt.com"', {}, /no https origin/],
    ["of an agent that is no string", "https://chatgpt.com", {}, /no https origin/],
    ["of a malformed agent", '"https://chatgpt.com', {}, /malformed/],
    ["of an endless agent", `"https://${"a".repeat(2000)}.example"`, {}, /no https origin/],
    ["that does not cover the agent", CHATGPT, { components: ["@authority"] }, /does not cover/],
    ["that does not cover the authority", CHATGPT, { components: ["@path", "signature-agent"] }, /@authority/],
    ["for another site", CHATGPT, { url: "https://evil.example/graphql" }, /verification failed/],
    ["that is expired", CHATGPT, { parameters: { created: seconds - 100, expires: seconds - 50 } }, /expired/],
    ["that is hours old", CHATGPT, { parameters: { created: seconds - 7200, expires: seconds + 60 } }, /too old/],
    ["without an end", CHATGPT, { parameters: { expires: undefined } }, /expires/],
    ["without a nonce", CHATGPT, { parameters: { nonce: undefined } }, /nonce/],
    ["by another algorithm", CHATGPT, { key: { ...chatgpt, algorithm: "rsa-pss-sha512" }, ...RSA }, /lgorithm/],
  ] as const)("%s is refused", async (_name, agent, signing, reason) => {
    const identity = await identified(agent, signing as Partial<Signing>, { "user-agent": "curl/8.5.0" });
    expect(identity).toMatchObject({ name: "curl", confidence: "HEADER" });
    expect(identity.evidence["signature-refused"]).toMatch(reason);
  });

  it("is compared with the public address, not with the Host header", async () => {
    const sent = await signed(
      { host: "evil.example", "signature-agent": CHATGPT },
      { key: chatgpt, tag: TAG, components, url: "https://evil.example/graphql" },
    );
    expect(await clients.identify(request(sent))).toMatchObject({ confidence: "UNKNOWN" });
    const meant = await signed(
      { host: "internal:4000", "signature-agent": CHATGPT },
      { key: chatgpt, tag: TAG, components },
    );
    expect(await clients.identify(request(meant))).toMatchObject({ confidence: "SIGNED" });
  });

  it("counts once", async () => {
    const sent = request(await signed({ "signature-agent": CHATGPT }, { key: curve, tag: TAG, components }));
    expect(await clients.identify(sent)).toMatchObject({ confidence: "SIGNED" });
    expect(await clients.identify(sent)).toMatchObject({ confidence: "UNKNOWN" });
  });

  it("survives headers that are not ASCII, which no signature covers", async () => {
    const identity = await identified(CHATGPT, {}, {});
    const sent = await signed({ "signature-agent": CHATGPT }, { key: chatgpt, tag: TAG, components });
    expect(await clients.identify(request({ ...sent, "x-name": "Jos\u00e9" }))).toMatchObject({ name: identity.name });
  });
});

describe("a directory", () => {
  it.each([
    ["an address that is no origin", { [`${PUBLIC_URL}/path`]: { keys: [chatgpt.jwk] } }, /no https origin/],
    ["an origin without TLS", { "http://a.example": { keys: [chatgpt.jwk] } }, /no https origin/],
    ["a shared secret", { "https://a.example": { keys: [{ kty: "oct", k: "AAAA" }] } }, /neither Ed25519/],
    ["a private key", { "https://a.example": { keys: [{ ...chatgpt.jwk, d: "AAAA" }] } }, /private/],
    [
      "a key for something else",
      { "https://a.example": { keys: [{ ...chatgpt.jwk, use: "enc" }] } },
      /not for signatures/,
    ],
    ["a broken key", { "https://a.example": { keys: [{ ...chatgpt.jwk, x: "AAAA" }] } }, /not a valid JWK/],
  ])("with %s is refused", (_name, agents, message) => {
    expect(() => identifier({ signatureAgents: agents })).toThrow(message);
  });
});
