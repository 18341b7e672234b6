import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "../log.ts";
import type { Metrics } from "./metrics.ts";

/** Named conditions of readiness, such as that the ledger takes entries and that the schema is not behind. */
export type Checks = { readonly [check: string]: boolean };

export interface ProbesDeps {
  /** What must hold for this process to be sent requests. */
  readonly checks: () => Promise<Checks>;
  /** Whether each further region is ready. One is enough where `checks` do not hold: a region that is down keeps no other from working. */
  readonly regions?: (() => Promise<Checks>) | undefined;
  /** Whether requests are accepted: evaluated at every probe, while results of `checks` are cached briefly. */
  readonly accepting: () => boolean;
  readonly metrics: Metrics;
  readonly log: Logger;
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { "content-type": contentType, "cache-control": "no-store" }).end(body);
}

const JSON_TYPE = "application/json; charset=utf-8";

/** Milliseconds for which results of the checks are cached. */
const FRESH = 1_000;
/** Milliseconds after which a probe fails when the checks have not finished. */
const PATIENCE = 3_000;

/** `checks`, shared by all callers while they run and for `FRESH` afterwards; rejects after `PATIENCE`. */
function shared(checks: () => Promise<Checks>): () => Promise<Checks> {
  let run: { readonly found: Promise<Checks>; until: number } | undefined;
  return () => {
    if (run === undefined || performance.now() >= run.until) {
      // Probes that pile up would only make a slow database slower.
      const latest = { found: checks(), until: performance.now() + PATIENCE };
      const settled = () => {
        latest.until = performance.now() + FRESH;
      };
      latest.found.then(settled, settled);
      run = latest;
    }
    return within(PATIENCE, run.found);
  };
}

function within<Value>(milliseconds: number, work: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the checks take longer than ${milliseconds} ms`)), milliseconds);
    work.then(resolve, reject).finally(() => clearTimeout(late));
  });
}

/** Handles the probes of an orchestrator; returns undefined for any other path. */
export function createProbes({ checks, regions, accepting, log }: Omit<ProbesDeps, "metrics">) {
  const check = shared(async () => checks());
  const regional = regions && shared(async () => regions());

  async function ready(response: ServerResponse): Promise<void> {
    const [own, others] = await Promise.all([
      check().catch((error: unknown) => {
        // The reason is only logged: probes are not authenticated.
        log.warn({ err: error }, "readiness could not be checked");
        return undefined;
      }),
      regional?.().catch(() => undefined),
    ]);
    let held: Checks | undefined = own;
    const isHomeReady = held !== undefined && Object.values(held).every((holds) => holds);
    const isReady = accepting() && (isHomeReady || Object.values(others ?? {}).some((holds) => holds));
    held = held && { ...held, accepting: accepting() };
    send(
      response,
      isReady ? 200 : 503,
      JSON_TYPE,
      `${JSON.stringify({ ready: isReady, checks: held ?? {}, regions: others })}\n`,
    );
  }

  const probes: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    "/livez": async (response) => send(response, 200, JSON_TYPE, '{"live":true}\n'),
    "/readyz": ready,
  };

  return (path: string, request: IncomingMessage, response: ServerResponse): Promise<void> | undefined => {
    const probe = Object.hasOwn(probes, path) ? probes[path] : undefined;
    if (probe === undefined) return undefined;
    return readOnly(request, response) ? probe(response) : Promise.resolve();
  };
}

/** Responds with what Prometheus scrapes. */
export async function scrapeMetrics(
  { metrics, log }: Pick<ProbesDeps, "metrics" | "log">,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!readOnly(request, response)) return;
  try {
    send(response, 200, metrics.contentType, await metrics.scrape());
  } catch (error) {
    log.warn({ err: error }, "the metrics could not be collected");
    send(response, 503, "text/plain; charset=utf-8", "the metrics cannot be collected now\n");
  }
}

/** Whether the request reads; responds to one that does not. */
function readOnly({ method }: IncomingMessage, response: ServerResponse): boolean {
  if (method === "GET" || method === "HEAD") return true;
  response.setHeader("allow", "GET, HEAD");
  send(response, 405, "text/plain; charset=utf-8", "use GET\n");
  return false;
}
