import { CONNECTION_LIMITS, limitConnections } from "./connections.ts";
import { createListener, listening } from "./listener.ts";
import { createProbes, type ProbesDeps, scrapeMetrics } from "./probes.ts";

/** Prometheus and an orchestrator, and an operator who looks: no more. */
const LIMITS = { ...CONNECTION_LIMITS, connections: 64, connectionsPerAddress: 64 };

export interface OperationsServer {
  /** Starts listening. Resolves to the port; port 0 is any free one. */
  listen(port: number, host: string): Promise<number>;
  close(): Promise<void>;
}

/** `/livez`, `/readyz` and `/metrics` over plain HTTP, with connections of their own: they work while the API's are all taken. */
export function createOperationsServer(deps: ProbesDeps): OperationsServer {
  const probe = createProbes(deps);
  const server = createListener({ certificate: undefined, limits: LIMITS }, (request, response) => {
    request.resume();
    const path = request.url?.split("?", 1)[0] ?? "/";
    const done = path === "/metrics" ? scrapeMetrics(deps, request, response) : probe(path, request, response);
    if (done === undefined) response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("not found\n");
    done?.catch((error: unknown) => {
      deps.log.error({ err: error }, "a probe failed");
      response.destroy();
    });
  });
  const nothing = () => undefined;
  limitConnections(server, {
    limits: LIMITS,
    isProxy: () => false,
    onOpened: nothing,
    onClosed: nothing,
    onRefused: nothing,
    onSlow: nothing,
  });
  return {
    listen: (port, host) => listening(server, port, host),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
