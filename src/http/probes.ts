import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "../log.ts";
import type { Metrics } from "./metrics.ts";

/** Named conditions of readiness, such as that the ledger takes entries and that the schema is not behind. */
export type Checks = { readonly [check: string]: boolean };

export interface ProbesDeps {
  /** What must hold for this process to be sent requests. */
  readonly checks: () => Promise<Checks>;
  readonly metrics: Metrics;
  readonly log: Logger;
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { "content-type": contentType, "cache-control": "no-store" }).end(body);
}

const JSON_TYPE = "application/json; charset=utf-8";

/** Answers the probes of an orchestrator and of Prometheus; undefined when `path` is none of them. */
export function createProbes({ checks, metrics, log }: ProbesDeps) {
  async function ready(response: ServerResponse): Promise<void> {
    let held: Checks = {};
    try {
      held = await checks();
    } catch (error) {
      // Why is for the log: whoever may probe may not be whoever may know.
      log.warn({ err: error }, "readiness could not be told");
    }
    const isReady = Object.keys(held).length > 0 && Object.values(held).every((holds) => holds);
    send(response, isReady ? 200 : 503, JSON_TYPE, `${JSON.stringify({ ready: isReady, checks: held })}\n`);
  }

  async function scrape(response: ServerResponse): Promise<void> {
    try {
      send(response, 200, metrics.contentType, await metrics.scrape());
    } catch (error) {
      log.warn({ err: error }, "the metrics could not be collected");
      send(response, 503, "text/plain; charset=utf-8", "the metrics cannot be collected now\n");
    }
  }

  const probes: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    "/livez": async (response) => send(response, 200, JSON_TYPE, '{"live":true}\n'),
    "/readyz": ready,
    "/metrics": scrape,
  };

  return (path: string, request: IncomingMessage, response: ServerResponse): Promise<void> | undefined => {
    const probe = Object.hasOwn(probes, path) ? probes[path] : undefined;
    if (probe === undefined) return undefined;
    if (request.method === "GET" || request.method === "HEAD") return probe(response);
    response.setHeader("allow", "GET, HEAD");
    return Promise.resolve(send(response, 405, "text/plain; charset=utf-8", "use GET\n"));
  };
}
