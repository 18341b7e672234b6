import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { asError } from "../../errors.ts";
import { isLoopback } from "../identity/secure-url.ts";
import { DeliveryError } from "./driver.ts";
import { createAgents } from "./outbound-addresses.ts";
import type { Outbound, OutboundRequest, OutboundResponse } from "./outbound-request.ts";

/** Ways out of this server for channels: to public addresses, and to those that the operator permits. */
export interface Outgoing {
  readonly request: Outbound;
  /** A connection to a host, for protocols other than HTTP. Throws DeliveryError. */
  readonly connect: (to: { readonly host: string; readonly port: number }, signal: AbortSignal) => Promise<Socket>;
  /** Closes connections that are kept. */
  close(): void;
}

const TIMEOUT = 10_000;
const MAX_RESPONSE = 1024 * 1024;
/** Connections to one host at a time. */
const MAX_SOCKETS = 16;
/** What the agent says of an address that it refuses. */
const REFUSED = /is not allowed\. Because/;

/** @param permitted addresses that are not public and may be reached all the same: IP addresses or ranges (CIDR) */
export function createOutgoing(permitted: readonly string[]): Outgoing {
  const agents = createAgents(permitted, { keepAlive: true, maxSockets: MAX_SOCKETS, timeout: 30_000 });

  return {
    request: (request) => send(request, agents),
    connect: ({ host, port }, signal) =>
      new Promise((resolve, reject) => {
        const socket = agents["http:"].createConnection({ host, port }) as Socket;
        const stop = () => socket.destroy(asError(signal.reason));
        socket.setTimeout(TIMEOUT, () => socket.destroy(new Error(`${host} did not respond in time`)));
        socket.once("error", (error) => reject(failureOf(error, host)));
        socket.once("close", () => signal.removeEventListener("abort", stop));
        socket.once("connect", () => {
          socket.setTimeout(0);
          resolve(socket);
        });
        signal.addEventListener("abort", stop, { once: true });
      }),
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function send(
  { method, url, headers = {}, body, timeout = TIMEOUT, signal }: OutboundRequest,
  agents: { readonly "http:": http.Agent; readonly "https:": https.Agent },
): Promise<OutboundResponse> {
  const target = new URL(url);
  const { protocol, host, hostname } = target;
  if (protocol !== "https:" && !(protocol === "http:" && isLoopback(hostname))) {
    return Promise.reject(new DeliveryError(`${host} has to be reached by https`, { retry: true, down: true }));
  }
  const ends = AbortSignal.any([AbortSignal.timeout(timeout), ...(signal === undefined ? [] : [signal])]);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => reject(failureOf(asError(error), host));
    const request = (protocol === "https:" ? https : http).request(
      target,
      {
        method,
        agent: agents[protocol],
        signal: ends,
        headers: {
          ...headers,
          ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_RESPONSE) request.destroy(new Error(`its response is larger than ${MAX_RESPONSE} bytes`));
          else chunks.push(chunk);
        });
        response.on("error", fail);
        response.on("aborted", () => fail(new Error("its response broke off")));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(
              Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
            ),
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    request.on("error", fail);
    // A server that changes the protocol, unasked, gives neither a response nor an error.
    request.on("close", () => fail(new Error("it ended the exchange without a response")));
    request.end(body);
  });
}

/** Nothing that is sent there could have been: until the operator permits the address, or the service is back. */
function failureOf(error: Error, host: string): DeliveryError {
  if (REFUSED.test(error.message)) {
    const message = `${host} is at an address that is not public: have the operator permit it with CHANNEL_PRIVATE_ADDRESSES`;
    return new DeliveryError(message, { retry: true, down: true, cause: error });
  }
  return new DeliveryError(`${host} could not be reached: ${error.message}`, { retry: true, down: true, cause: error });
}
