import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { createApi, webSocketUrl } from "../../src/cli/api.ts";

type Reply = (request: IncomingMessage, response: ServerResponse) => void;

const operation = { document: "{ viewer { id } }", answer: z.object({ viewer: z.object({ id: z.string() }) }) };
const good: Reply = (_, response) => response.end('{"data":{"viewer":{"id":"auditor"}}}');
const refusal = (code: string, status = 200): Reply => {
  return (_, response) =>
    response.writeHead(status).end(JSON.stringify({ errors: [{ message: "no", extensions: { code } }] }));
};
const cut: Reply = (request) => request.socket.destroy();

let server: Server | undefined;
afterEach(() => server?.close());

/** A peer that answers each request in turn as told; the last reply repeats. */
async function peer(...replies: readonly Reply[]): Promise<{ url: string; tokens: string[] }> {
  const tokens: string[] = [];
  let turn = 0;
  server = createServer((request, response) => {
    tokens.push(request.headers.authorization ?? "");
    replies[Math.min(turn++, replies.length - 1)]!(request, response);
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`, tokens };
}

function client(url: string, patience = 30) {
  let count = 0;
  return createApi({ url, patience, token: async () => `token-${++count}` });
}

describe("createApi", () => {
  it.each([
    ["the ledger cannot be written", refusal("LEDGER_UNAVAILABLE")],
    [
      "something before the server says 503",
      ((_, response) => response.writeHead(503).end('{"errors":[{"message":"no"}]}')) satisfies Reply,
    ],
    ["a proxy answers for the server", ((_, response) => response.writeHead(502).end("<html>")) satisfies Reply],
    ["the connection breaks", cut],
  ])("retries when %s, with a fresh token, and reports it", async (_, reply) => {
    const { url, tokens } = await peer(reply, reply, good);
    expect(await client(url).run(operation)).toEqual({ data: { viewer: { id: "auditor" } }, attempts: 3 });
    expect(tokens).toEqual(["Bearer token-1", "Bearer token-2", "Bearer token-3"]);
  });

  it("waits no longer than it was told to, whatever the server asks for", async () => {
    const asked: Reply = (_, response) => response.writeHead(503, { "retry-after": "3600" }).end("<html>");
    const { url, tokens } = await peer(asked);
    await expect(client(url, 1).run(operation)).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(tokens).toHaveLength(2);
  });

  it("gives up as UNREACHABLE once patience is over", async () => {
    const { url } = await peer(refusal("LEDGER_UNAVAILABLE"));
    await expect(client(url, 0).run(operation)).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  it.each([
    ["UNAUTHENTICATED", 401, "REFUSED"],
    ["FORBIDDEN", 200, "REFUSED"],
    ["BAD_USER_INPUT", 200, "USAGE"],
    ["INTERNAL_SERVER_ERROR", 200, "FAILED"],
    ["LEDGER_STOPPED", 503, "FAILED"],
    ["LEDGER_CORRUPT", 503, "FAILED"],
    ["CLOCK_SKEWED", 503, "FAILED"],
  ])("does not insist on %s", async (code, status, outcome) => {
    const { url, tokens } = await peer(refusal(code, status));
    await expect(client(url).run(operation)).rejects.toMatchObject({
      code: outcome,
      message: expect.stringContaining(code),
    });
    expect(tokens).toHaveLength(1);
  });

  it("reports a response of an unexpected shape", async () => {
    const other = await peer((_, response) => response.end('{"data":{"viewer":{}}}'));
    await expect(client(other.url).run(operation)).rejects.toMatchObject({
      code: "FAILED",
      message: expect.stringContaining("viewer.id"),
    });
  });

  it("reports when the address is no GraphQL endpoint", async () => {
    const { url } = await peer((_, response) => response.end("hello"));
    await expect(client(url).run(operation)).rejects.toMatchObject({ message: expect.stringContaining("not JSON") });
  });
});

describe("webSocketUrl", () => {
  it("keeps the path and the security", () => {
    expect(webSocketUrl("http://127.0.0.1:4000/graphql")).toBe("ws://127.0.0.1:4000/graphql");
    expect(webSocketUrl("https://countersign.example/graphql")).toBe("wss://countersign.example/graphql");
  });
});
