import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import type { ClientIdentity } from "../../../../src/domain/identity/principal.ts";
import { createUsedOnce } from "../../../../src/domain/identity/used-once.ts";
import { useDatabase } from "../use-database.ts";
import { contentDigest, identifier, PUBLIC_URL, request, type Signing, signed, testKey } from "./requests.ts";

const TAG = "countersign-gateway";
const ours = testKey();
const theirs = testKey();
const useless = testKey();
const stranger = testKey();
const gateways = new Map([
  [`acme ${ours.id}`, { principalId: "gateway-1", jwk: ours.jwk }],
  [`other ${theirs.id}`, { principalId: "gateway-9", jwk: theirs.jwk }],
  [`acme ${useless.id}`, { principalId: "gateway-3", jwk: { kty: "oct", k: "c2VjcmV0" } }],
]);
const gatewayKey = (organization: string, keyId: string) => gateways.get(`${organization} ${keyId}`);
const usedOnce = createUsedOnce({ db: useDatabase() });
const clients = identifier({ gatewayKey, usedOnce });

const body = '{"query":"{viewer{id}}"}';
const headers = {
  "user-agent": "acme-gateway/3",
  "content-length": String(body.length),
  "content-digest": contentDigest(body),
  "countersign-model": "google/gemini-3-flash",
  "countersign-mcp-client": "claude-code/2.1.66",
};
const components = ["@method", "@authority", "@path", "content-digest", "countersign-model", "countersign-mcp-client"];

async function identified(
  change: { headers?: Record<string, string>; after?: Record<string, string>; url?: string } & Partial<Signing> = {},
  organization: string | undefined = "acme",
): Promise<ClientIdentity> {
  const { headers: other = headers, after = {}, url = "/graphql", ...signing } = change;
  const target = `${PUBLIC_URL}${url}`;
  const sent = { ...(await signed(other, { key: ours, tag: TAG, components, url: target, ...signing })), ...after };
  return clients.identify(request(sent, { url }), organization === undefined ? undefined : { organization });
}

/** What is recorded of a statement nobody believes. */
function unbelieved(reason: string | RegExp | undefined) {
  return (identity: ClientIdentity) => {
    expect(identity).toMatchObject({ name: "unknown", confidence: "UNKNOWN", modelConfidence: "UNKNOWN" });
    expect(identity).not.toHaveProperty("model");
    expect(identity.evidence).toHaveProperty("countersign-model");
    expect(identity.evidence).toHaveProperty("signature-input");
    expect(identity.evidence).not.toHaveProperty("gateway");
    if (reason === undefined) expect(identity.evidence).not.toHaveProperty("signature-refused");
    else expect(identity.evidence["signature-refused"]).toMatch(reason);
  };
}

describe("a gateway of the organization", () => {
  it("states the model and the client it serves, exactly", async () => {
    const identity = await identified();
    expect(identity).toMatchObject({
      name: "claude-code",
      version: "2.1.66",
      confidence: "SIGNED",
      model: "google/gemini-3-flash",
      modelConfidence: "SIGNED",
      evidence: {
        gateway: "gateway-1",
        "user-agent": "acme-gateway/3",
        "countersign-model": "google/gemini-3-flash",
        "countersign-mcp-client": "claude-code/2.1.66",
      },
    });
    expect(identity.evidence["signature-input"]).toContain(ours.id);
    expect(identity.evidence).not.toHaveProperty("signature-refused");
  });

  it.each([
    ["claude-ai/0.1.0", { name: "claude-desktop", version: "0.1.0", surface: "desktop" }],
    ["Anthropic/ClaudeAI/1.0.0", { name: "claude.ai", version: "1.0.0" }],
    ["claude-ai (via mcp-remote 0.1.18)/0.1.0", { name: "claude-desktop", version: "0.1.0" }],
    ["codex-mcp-client/0.157.0", { name: "codex", version: "0.157.0" }],
    ["gemini-cli-mcp-client/0.9.0", { name: "gemini-cli", version: "0.9.0" }],
    ["cursor-vscode/1.0.0", { name: "cursor", version: "1.0.0" }],
    ["Visual Studio Code - Insiders/1.124.0-insider", { name: "vscode", version: "1.124.0-insider" }],
    ["acme/bot/1.0", { name: "acme/bot", version: "1.0" }],
    ["acme", { name: "acme" }],
  ])("relays %s", async (mcpClient, expected) => {
    const identity = await identified({ headers: { ...headers, "countersign-mcp-client": mcpClient } });
    expect(identity).toMatchObject({ ...expected, confidence: "SIGNED" });
    if (!("version" in expected)) expect(identity).not.toHaveProperty("version");
  });

  it("gets no version or surface from an unsigned header", async () => {
    const sent = { ...headers, "user-agent": "claude-code/9.9 (claude-desktop)" };
    for (const mcpClient of ["claude-code", "claude-code/2.1.66"]) {
      const { name, version, surface, confidence } = await identified({
        headers: { ...sent, "countersign-mcp-client": mcpClient },
      });
      expect([name, confidence]).toEqual(["claude-code", "SIGNED"]);
      expect([version, surface]).toEqual([mcpClient.split("/")[1], undefined]);
    }
  });

  it("may state the model only: then the headers identify the client", async () => {
    const { "countersign-mcp-client": _, ...rest } = { ...headers, "user-agent": "cursor/1.7" };
    const covered = components.filter((name) => name !== "countersign-mcp-client");
    expect(await identified({ headers: rest, components: covered })).toMatchObject({
      name: "cursor",
      confidence: "HEADER",
      model: "google/gemini-3-flash",
      modelConfidence: "SIGNED",
    });
  });

  it("may sign for a path with a query, and the query with it", async () => {
    const url = "/graphql?query=%7Bviewer%7Bid%7D%7D";
    const get = { method: "POST", url: `${PUBLIC_URL}${url}` };
    const sign = async (covered: readonly string[]) => {
      const sent = await signed(headers, { key: ours, tag: TAG, components: covered, ...get });
      return clients.identify(request(sent, { url }), { organization: "acme" });
    };
    expect(await sign([...components, "@query"])).toMatchObject({ confidence: "SIGNED" });
    expect(await sign([...components, "@target-uri"])).toMatchObject({ confidence: "SIGNED" });
    unbelieved(/@query/)(await sign(components));
  });

  it("is found among other signatures", async () => {
    const once = await signed(headers, { key: stranger, tag: "other", components: ["@method"], label: "a" });
    const twice = await signed(once, { key: stranger, tag: TAG, components, label: "b" });
    const sent = await signed(twice, { key: ours, tag: TAG, components, label: "c" });
    const identity = await clients.identify(request(sent), { organization: "acme" });
    expect(identity).toMatchObject({ confidence: "SIGNED", evidence: { gateway: "gateway-1" } });
  });
});

describe("over a real connection", () => {
  it("a gateway is accepted with its headers as Node parses them", async () => {
    let publicUrl = "";
    const known = identifier({ gatewayKey, usedOnce, publicUrl: () => publicUrl });
    const identities: ClientIdentity[] = [];
    const server = createServer((incoming, response) => {
      incoming.resume();
      const { method = "", url = "", headers: received, rawHeaders, socket } = incoming;
      const facts = { method, url, headers: received, rawHeaders, remoteAddress: socket.remoteAddress };
      Promise.resolve(known.identify(facts, { organization: "acme" })).then((identity) => {
        identities.push(identity);
        response.end(known.addressOf(facts));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      publicUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const url = `${publicUrl}graphql`;
      const sent = await signed(headers, { key: ours, tag: TAG, components, url });
      // fetch writes what it likes around the signed headers, as proxies do.
      const { "content-length": _, ...rest } = sent;
      const response = await fetch(url, { method: "POST", body, headers: { ...rest, "x-name": "Jos\u00e9" } });
      expect(await response.text()).toBe("127.0.0.1");
    } finally {
      server.close();
    }
    expect(identities).toMatchObject([{ name: "claude-code", confidence: "SIGNED", model: "google/gemini-3-flash" }]);
  });
});

describe("the same headers", () => {
  const HMAC = { parameters: { alg: "hmac-sha256" } };
  const seconds = Math.floor(Date.now() / 1000);
  const without = (name: string) => ({ components: components.filter((component) => component !== name) });

  it.each([
    ["of an unknown key", { key: stranger }, /no gateway/],
    ["signed with a key that is not the one named", { key: { ...stranger, id: ours.id } }, /verification failed/],
    ["of a gateway of another organization", { key: theirs }, /no gateway/],
    ["of a gateway whose registered key is of no use", { key: useless }, /key of no use/],
    ["long expired", { parameters: { created: seconds - 200, expires: seconds - 100 } }, /expired/],
    ["too old, though not expired", { parameters: { created: seconds - 400, expires: seconds + 100 } }, /too old/],
    ["from the future", { parameters: { created: seconds + 100, expires: seconds + 200 } }, /future/],
    ["without an end", { parameters: { expires: undefined } }, /expires/],
    ["without a beginning", { parameters: { created: undefined } }, /created/],
    ["without a nonce", { parameters: { nonce: undefined } }, /nonce/],
    ["with an endless nonce", { parameters: { nonce: "n".repeat(201) } }, /nonce/],
    ["under a shared-secret algorithm", { key: { ...ours, algorithm: "hmac-sha256" }, ...HMAC }, /not allowed/],
    ["that leave the method open", without("@method"), /@method/],
    ["that leave the authority open", without("@authority"), /@authority/],
    ["that leave the path open", without("@path"), /@path/],
    ["that leave the body open", without("content-digest"), /content-digest/],
    ["that leave the model open", without("countersign-model"), /countersign-model/],
    ["that leave the client open", without("countersign-mcp-client"), /countersign-mcp-client/],
    ["meant for another server", { url: "https://staging.example.com/graphql" }, /verification failed/],
    ["meant for another path", { url: `${PUBLIC_URL}/other` }, /verification failed/],
    ["meant for another method", { method: "GET" }, /verification failed/],
    ["changed under way", { after: { "countersign-model": "openai/gpt-9" } }, /verification failed/],
    [
      "with a client added",
      { ...without("countersign-mcp-client"), after: { "countersign-mcp-client": "x/1" } },
      /mcp-client/,
    ],
    ["with two models", { headers: { ...headers, "countersign-model": "a/b, c/d" } }, /one model/],
    ["with a client that is not text", { headers: { ...headers, "countersign-mcp-client": "a\tb" } }, /name\/version/],
    ["with a model that is not ASCII", { after: { "countersign-model": "gemini\u00e9" } }, /Missing field/],
    ["with broken structured fields", { after: { "signature-input": "sig1=(" } }, /malformed/],
    ["with a signature that is no bytes", { after: { signature: "sig1=text" } }, /Signature/],
    ["with a signature of another label", { after: { signature: "sig2=:AAAA:" } }, /label/],
    ["with endless fields", { after: { signature: `sig1=:${"A".repeat(10_000)}:` } }, /too long/],
    ["with too many signatures", { after: { "signature-input": "a=(), b=(), c=(), d=(), e=()" } }, /too many/],
    ["under another tag", { tag: "something-else" }, undefined],
    ["without any description of the signature", { after: { "signature-input": "" } }, undefined],
  ] as const)("%s are evidence and no more", async (_name, change, reason) => {
    const { url, ...rest } = change as { url?: string } & Parameters<typeof identified>[0];
    const sent = {
      ...(await signed(rest.headers ?? headers, { key: ours, tag: TAG, components, ...(url ? { url } : {}), ...rest })),
      ...rest.after,
    };
    const identity = await clients.identify(request(sent), { organization: "acme" });
    if (sent["signature-input"] !== "") return unbelieved(reason)(identity);
    expect(identity).toMatchObject({ confidence: "UNKNOWN", modelConfidence: "UNKNOWN" });
  });

  it("of another organization's caller, or of nobody, are evidence and no more", async () => {
    unbelieved(/no gateway/)(await identified({}, "other"));
    const sent = await signed(headers, { key: ours, tag: TAG, components });
    unbelieved(undefined)(await clients.identify(request(sent)));
  });

  it("unsigned, from an ordinary agent, are evidence and no more", () => {
    const identity = clients.identify(request(headers), { organization: "acme" });
    expect(identity).toMatchObject({
      name: "unknown",
      confidence: "UNKNOWN",
      modelConfidence: "UNKNOWN",
      evidence: { "countersign-model": "google/gemini-3-flash", "countersign-mcp-client": "claude-code/2.1.66" },
    });
    expect(identity).not.toHaveProperty("model");
  });

  it("sent again are evidence and no more, at once or later", async () => {
    const sent = request(await signed(headers, { key: ours, tag: TAG, components }));
    const both = await Promise.all([1, 2].map(() => clients.identify(sent, { organization: "acme" })));
    expect(both.map(({ confidence }) => confidence).sort()).toEqual(["SIGNED", "UNKNOWN"]);
    unbelieved(/seen before/)(await clients.identify(sent, { organization: "acme" }));
  });
});
