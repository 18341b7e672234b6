import { createServer as createPlainServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type Certificate, TLS_OPTIONS } from "./certificate.ts";
import { type ConnectionLimits, serverOptions } from "./connections.ts";

export interface ListenerOptions {
  /** Undefined: plain HTTP. */
  readonly certificate: Certificate | undefined;
  readonly limits: ConnectionLimits;
}

/** A server that speaks TLS 1.3, or plain HTTP without a certificate. */
export function createListener({ certificate, limits }: ListenerOptions, handle: RequestListener): Server {
  const options = serverOptions(limits);
  if (certificate === undefined) return createPlainServer(options, handle);
  const handshakeTimeout = limits.headerTimeout;
  return createTlsServer({ ...options, ...TLS_OPTIONS, ...certificate, handshakeTimeout }, handle);
}

/** Uses another certificate from the next handshake on; connections that are open stay. */
export function replaceCertificate(server: Server, certificate: Certificate): void {
  if (server instanceof TlsServer) server.setSecureContext({ ...TLS_OPTIONS, ...certificate });
}

/** Starts listening. Resolves to the port; port 0 is any free one. */
export function listening(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
