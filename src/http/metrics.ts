import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** What the metrics ask for when they are scraped. */
export interface MetricsSources {
  /** Drafts that wait in the append queues. */
  readonly waiting: () => number;
  /** Actions that wait for people, over all organizations. */
  readonly pendingApprovals: () => Promise<number>;
  /** Entries that the tables for BI tools do not have yet, and ledgers that these cannot be derived from. */
  readonly biBehind: () => Promise<{ readonly entries: number; readonly stopped: number }>;
  readonly watch: () => WatchMetrics;
}

/** What the watcher of the ledgers knows. */
export interface WatchMetrics {
  /** Ledgers by condition. */
  readonly ledgers: Readonly<Record<string, number>>;
  /** Ledgers that wait to be verified. */
  readonly waiting: number;
  /** Milliseconds of work. */
  readonly spent: number;
}

export type Metrics = ReturnType<typeof createMetrics>;

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** The Prometheus metrics of one process. */
export function createMetrics(sources: MetricsSources) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Histogram({
    name: "countersign_http_request_duration_seconds",
    help: "HTTP requests, by route and status.",
    labelNames: ["method", "route", "status"],
    buckets: SECONDS,
    registers,
  });
  const errors = new Counter({
    name: "countersign_graphql_errors_total",
    help: "GraphQL errors sent to clients, by extensions.code.",
    labelNames: ["code"],
    registers,
  });
  const refusals = new Counter({
    name: "countersign_refusals_total",
    help: "Expected refusals sent to clients as user errors, by code.",
    labelNames: ["code"],
    registers,
  });
  const authenticationRefusals = new Counter({
    name: "countersign_authentication_refusals_total",
    help: "Credentials that were presented and not accepted, and sign-ins that failed, by reason.",
    labelNames: ["reason"],
    registers,
  });
  const batchSeconds = new Histogram({
    name: "countersign_append_duration_seconds",
    help: "Duration of append transactions, from the call to the return after COMMIT.",
    buckets: SECONDS,
    registers,
  });
  const batchSize = new Histogram({
    name: "countersign_append_batch_entries",
    help: "Entries tried by one append transaction.",
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    registers,
  });
  const connections = new Gauge({
    name: "countersign_connections",
    help: "TCP connections of clients that are open.",
    registers,
  });
  const refusedConnections = new Counter({
    name: "countersign_connections_refused_total",
    help: "TCP connections closed because there were too many, in all or of one address.",
    labelNames: ["limit"],
    registers,
  });
  const sockets = new Gauge({
    name: "countersign_websocket_connections",
    help: "WebSocket connections that are open.",
    registers,
  });
  const subscriptions = new Gauge({
    name: "countersign_websocket_operations",
    help: "Operations under way over WebSocket.",
    registers,
  });
  const slow = new Counter({
    name: "countersign_slow_subscribers_total",
    help: "Connections closed because the client did not read.",
    registers,
  });
  const problems = new Counter({
    name: "countersign_ledger_problems_total",
    help: "Problems that were found in ledgers, each counted once by each server, by verdict.",
    labelNames: ["verdict"],
    registers,
  });
  let counted = 0;
  // Metrics are read in the order in which they are made: this one looks for the next two as well.
  new Gauge({
    name: "countersign_ledgers",
    help: "Ledgers by condition: OK, SUSPECT (a problem was found, and entries are recorded), STOPPED.",
    labelNames: ["condition"],
    registers,
    collect() {
      const status = sources.watch();
      for (const [condition, count] of Object.entries(status.ledgers)) this.set({ condition }, count);
      waiting.set(status.waiting);
      seconds.inc(Math.max(0, status.spent - counted) / 1_000);
      counted = Math.max(counted, status.spent);
    },
  });
  const waiting = new Gauge({
    name: "countersign_watch_waiting",
    help: "Ledgers that wait to be verified.",
    registers,
  });
  const seconds = new Counter({
    name: "countersign_watch_seconds_total",
    help: "Time that verifying ledgers took.",
    registers,
  });
  new Gauge({
    name: "countersign_append_queue_length",
    help: "Drafts that wait to be appended.",
    registers,
    collect() {
      this.set(sources.waiting());
    },
  });
  new Gauge({
    name: "countersign_approvals_pending",
    help: "Actions that wait for people.",
    registers,
    async collect() {
      // Unknown while the database is away, which is when the other metrics are needed most.
      this.set(await sources.pendingApprovals().catch(() => Number.NaN));
    },
  });
  new Gauge({
    name: "countersign_bi_entries_behind",
    help: "Entries that the tables for BI tools do not have yet.",
    registers,
    async collect() {
      const behind = await sources.biBehind().catch(() => ({ entries: Number.NaN, stopped: Number.NaN }));
      this.set(behind.entries);
      biStopped.set(behind.stopped);
    },
  });
  const biStopped = new Gauge({
    name: "countersign_bi_ledgers_stopped",
    help: "Ledgers that the tables for BI tools do not go on with, because they are damaged.",
    registers,
  });

  return {
    contentType: registry.contentType,
    /** The text Prometheus scrapes. */
    scrape: () => registry.metrics(),
    request: (method: string, route: string, status: number, seconds: number) =>
      requests.observe({ method, route, status }, seconds),
    error: (code: string) => errors.inc({ code }),
    refusal: (code: string) => refusals.inc({ code }),
    ledgerProblem: (verdict: string) => problems.inc({ verdict }),
    authenticationRefused: (reason: string) => authenticationRefusals.inc({ reason }),
    /** One append transaction; `createLedgers` calls it as `onBatch`. */
    append: (entries: number, seconds: number) => {
      batchSeconds.observe(seconds);
      batchSize.observe(entries);
    },
    connectionOpened: () => connections.inc(),
    connectionClosed: () => connections.dec(),
    connectionRefused: (limit: "all" | "address") => refusedConnections.inc({ limit }),
    socketOpened: () => sockets.inc(),
    socketClosed: () => sockets.dec(),
    operationStarted: () => subscriptions.inc(),
    operationEnded: () => subscriptions.dec(),
    slowSubscriber: () => slow.inc(),
  };
}
