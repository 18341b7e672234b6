import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createOutgoing } from "../../src/domain/channels/outbound.ts";

const [strict, permitting] = [createOutgoing([]), createOutgoing(["127.0.0.0/8"])];
let respond: (response: ServerResponse) => void = (response) => void response.end("hello");
const server = createServer((_request, response) => respond(response));
let port: number;

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  strict.close();
  permitting.close();
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

const get = (outgoing: typeof strict, url: string, more: object = {}) =>
  outgoing.request({ method: "GET", url, ...more });

describe("what channels send", () => {
  it.each([
    "https://127.0.0.1/",
    "https://localhost/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[fd00::1]/",
    "https://[fe80::1]/",
    "https://0.0.0.0/",
    "https://[::]/",
    "https://10.1.2.3/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/",
    "https://224.0.0.1/",
    "https://192.0.2.1/",
  ])("reaches no address that is not public: %s", async (url) => {
    await expect(get(strict, url)).rejects.toMatchObject({
      name: "DeliveryError",
      down: true,
      message: expect.stringContaining("CHANNEL_PRIVATE_ADDRESSES"),
    });
    const { hostname } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, "");
    await expect(strict.connect({ host, port: 25 }, AbortSignal.timeout(5_000))).rejects.toMatchObject({
      down: true,
    });
  });

  it("reaches those that the operator permits, and others no more for that", async () => {
    expect(await get(permitting, `http://127.0.0.1:${port}/`)).toMatchObject({ status: 200, body: "hello" });
    await expect(get(permitting, "https://10.1.2.3/")).rejects.toThrow("CHANNEL_PRIVATE_ADDRESSES");
  });

  it.each(["127.0.0.1", "localhost"])(
    "reaches %s where ranges of both families are permitted, and no other address, without a word to the console",
    async (host) => {
      const warned = vi.spyOn(console, "warn");
      const both = createOutgoing(["fd00::/8", "::1/128", "127.0.0.0/8"]);
      try {
        expect(await get(both, `http://${host}:${port}/`)).toMatchObject({ status: 200, body: "hello" });
        const { promise, resolve } = Promise.withResolvers<void>();
        const socket = await both.connect({ host, port }, AbortSignal.timeout(5_000));
        socket.once("close", () => resolve()).destroy();
        await promise;
        for (const other of ["10.1.2.3", "[fc00::1]", "[::ffff:10.1.2.3]", "0.0.0.0", "[::]"]) {
          await expect(get(both, `https://${other}/`), other).rejects.toMatchObject({
            message: expect.stringContaining("CHANNEL_PRIVATE_ADDRESSES"),
          });
        }
        expect(warned).not.toHaveBeenCalled();
      } finally {
        warned.mockRestore();
        both.close();
      }
    },
  );

  it("reaches no name that leads to an address which is not permitted", async () => {
    const other = createOutgoing(["10.0.0.0/8", "fd00::/8"]);
    await expect(get(other, `http://localhost:${port}/`)).rejects.toMatchObject({
      message: expect.stringContaining("CHANNEL_PRIVATE_ADDRESSES"),
    });
    other.close();
  });

  it("is encrypted, but for this machine", async () => {
    await expect(get(permitting, "http://hooks.acme.example/")).rejects.toThrow("by https");
  });

  it("follows no redirect", async () => {
    respond = (response) => void response.writeHead(302, { location: "http://169.254.169.254/" }).end();
    expect(await get(permitting, `http://127.0.0.1:${port}/`)).toMatchObject({ status: 302 });
  });

  it("ends when there is no response in time, when it never ends, and when it breaks off", async () => {
    respond = () => undefined;
    const late = get(permitting, `http://127.0.0.1:${port}/`, { timeout: 50 });
    await expect(late).rejects.toMatchObject({ retry: true, down: true });
    respond = (response) => {
      const chunk = Buffer.alloc(65_536);
      const more = () => {
        while (response.writable && response.write(chunk));
        if (response.writable) response.once("drain", more);
      };
      more();
    };
    await expect(get(permitting, `http://127.0.0.1:${port}/`)).rejects.toThrow("larger than");
    respond = (response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("begun");
      response.socket?.end();
    };
    await expect(get(permitting, `http://127.0.0.1:${port}/`)).rejects.toMatchObject({ retry: true });
  });
});
