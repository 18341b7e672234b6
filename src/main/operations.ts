import { createOperationsServer } from "../http/operations-server.ts";
import { originOf } from "../http/origin.ts";
import type { ProbesDeps } from "../http/probes.ts";
import type { Start } from "./start.ts";

/** Serves metrics and probes where METRICS_PORT says. Returns scheme, host and port; undefined: nowhere. */
export async function startOperations(
  { config, log, closing }: Start,
  deps: Omit<ProbesDeps, "log">,
): Promise<string | undefined> {
  const { metricsPort, metricsHost: host } = config;
  if (metricsPort === undefined) return undefined;
  const server = createOperationsServer({ ...deps, log });
  const port = await server.listen(metricsPort, host);
  closing.add(() => server.close());
  return originOf({ host, port, secure: false });
}
