import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { countersign, start } from "./run.ts";

/** A server of which /readyz answers whatever `status` says at that moment. */
let status = 503;
let asked = 0;
const server = createServer(({ url }, response) => {
  if (url === "/readyz") asked += 1;
  response.writeHead(url === "/readyz" ? status : 200).end("{}");
});
const listen = async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
};
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

describe("health", () => {
  it("ends with 3 at once where nothing listens and nobody said to wait", async () => {
    const url = await listen();
    server.close();
    const { code, stderr } = await countersign(["health", "--url", url]);
    expect(stderr).toContain(`${new URL("/livez", url)} cannot be reached (ECONNREFUSED)`);
    expect(code).toBe(exitCodes.UNREACHABLE);
  });

  it("with --wait asks again until the server is ready", async () => {
    const url = await listen();
    [status, asked] = [503, 0];
    const child = start(["health", "--wait", "60", "--url", url]);
    const [said, ended] = [text(child.stdout!), once(child, "exit")];
    await expect.poll(() => asked, { timeout: 30_000 }).toBeGreaterThan(1);
    status = 200;
    expect((await ended)[0]).toBe(exitCodes.OK);
    expect(await said).toContain("/readyz ok");
  });

  it("with --wait gives up in the end", async () => {
    const url = await listen();
    status = 503;
    const { code, stdout, stderr } = await countersign(["health", "--wait", "1", "--url", url]);
    expect(stdout).toContain("/readyz not ok (HTTP 503)");
    expect(stderr).toContain("is not ready");
    expect(code).toBe(exitCodes.UNREACHABLE);
  });
});
