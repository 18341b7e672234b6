import { once } from "node:events";
import { rm } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { type App, startApp } from "../support/app.ts";
import { silent } from "../support/log.ts";
import { makeDataDir, withClient } from "../support/server.ts";
import { type Organizations, startOrganizations } from "./organizations.ts";
import type { Place } from "./steps.ts";

export const TARGETS = ["database", "backend", "server A", "server B"] as const;
/** What is killed: the postmaster, one backend of a server (which makes PostgreSQL recover), or a server. */
export type Target = (typeof TARGETS)[number];

/** Two servers on one database and one data directory, each started again whenever it ends, as by a supervisor. */
export interface Installation {
  readonly postgres: EmbeddedPostgres;
  readonly organizations: Organizations;
  readonly places: readonly [Place, Place];
  /** Every process that was started, the killed ones too. */
  readonly apps: readonly App[];
  /** Ends and starts that nobody asked for. */
  readonly faults: readonly string[];
  /** SIGKILL. Resolves when it was sent. */
  kill(target: Target): Promise<void>;
  close(): Promise<void>;
}

/** Milliseconds that a supervisor waits before it starts a server again that could not start. */
const PAUSE = 250;

/** `environment`: settings of both servers. */
export async function startInstallation(
  ledgers: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<Installation> {
  const [databaseDir, dataDir] = await Promise.all([makeDataDir(), makeDataDir()]);
  const organizations = await startOrganizations(ledgers, dataDir);
  // With every write of it forced to disk, as in production.
  const postgres = await startEmbeddedPostgres({ dataDir: databaseDir, log: silent });
  const settings = { IDENTITY_FILE: organizations.identityFile, ...environment };
  const apps: App[] = [];
  const faults: string[] = [];
  const killed = new Set<App>();
  let closing = false;

  async function start(place: Place): Promise<void> {
    for (let attempts = 1; !closing; attempts += 1) {
      try {
        const app = await startApp({ databaseUrl: postgres.url, dataDir, environment: settings });
        apps.push(app);
        place.app = app;
        void once(app.process, "exit").then(() => ended(place, app));
        return;
      } catch (error) {
        // Without a database a server may end; one that never starts is a fault.
        if (attempts % 40 === 0) faults.push(`${place.name} did not start after ${attempts} attempts: ${error}`);
        await pause(PAUSE);
      }
    }
  }

  async function ended(place: Place, app: App): Promise<void> {
    if (closing) return;
    place.app = undefined;
    if (!killed.has(app)) faults.push(`${place.name} ended by itself: ${app.lines.slice(-40).join("\n")}`);
    await start(place);
  }

  const places: [Place, Place] = [
    { name: "server A", app: undefined },
    { name: "server B", app: undefined },
  ];
  await start(places[0]);
  await start(places[1]);

  async function killBackend(): Promise<void> {
    const { rows } = await withClient(postgres.url, (client) =>
      client.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity
          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name LIKE 'countersign%'
          ORDER BY state = 'active' DESC, state_change DESC LIMIT 1`,
      ),
    );
    const [found] = rows;
    if (found === undefined) throw new Error("no server is connected to the database");
    process.kill(found.pid, "SIGKILL");
  }

  return {
    postgres,
    organizations,
    places,
    apps,
    faults,
    async kill(target) {
      if (target === "database") process.kill(postgres.pid, "SIGKILL");
      else if (target === "backend") await killBackend();
      else {
        const { app } = places.find(({ name }) => name === target) as Place;
        if (app === undefined) throw new Error(`${target} is not running`);
        killed.add(app);
        app.process.kill("SIGKILL");
      }
    },
    async close() {
      closing = true;
      for (const { app } of places) await app?.stop();
      await postgres.stop();
      await organizations.stop();
      for (const directory of [databaseDir, dataDir]) await rm(directory, { recursive: true, force: true });
    },
  };
}
