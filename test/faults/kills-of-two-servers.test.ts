import { rm } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { type App, startApp } from "../support/app.ts";
import { silent } from "../support/log.ts";
import { makeDataDir } from "../support/server.ts";
import { waitUntil } from "../support/wait.ts";
import { faultsOfServer } from "./after-kills.ts";
import { type Load, type Outcome, propose, startLoad } from "./load.ts";
import { type Organizations, startOrganizations } from "./organizations.ts";
import { countByAction, readLedger } from "./read-ledger.ts";

/** Callers on each server of the first ledger; the others have one each. */
const CALLERS = 8;
/** Ledgers that grow at the same time, and so share transactions. */
const LEDGERS = 16;
let databaseDir: string;
let dataDir: string;
let postgres: EmbeddedPostgres;
let restarts: number;
let organizations: Organizations;
const apps: App[] = [];

beforeEach(async () => {
  [databaseDir, dataDir] = await Promise.all([makeDataDir(), makeDataDir()]);
  organizations = await startOrganizations(LEDGERS, dataDir);
  // With every write of it forced to disk, as in production.
  restarts = 0;
  const onRestart = () => {
    restarts += 1;
  };
  postgres = await startEmbeddedPostgres({ dataDir: databaseDir, log: silent, onRestart });
});

afterEach(async () => {
  for (const app of apps.splice(0)) await app.stop();
  await postgres.stop();
  await organizations.stop();
  for (const directory of [databaseDir, dataDir]) await rm(directory, { recursive: true, force: true });
});

/** A server on the database. Both share the directory, and so their keys. */
async function start(): Promise<App> {
  const app = await startApp({
    databaseUrl: postgres.url,
    dataDir,
    environment: { IDENTITY_FILE: organizations.identityFile, WATCH_SHARE: "50" },
  });
  apps.push(app);
  return app;
}

/** The load of one organization on one server. */
interface Placed {
  readonly organization: string;
  readonly token: string;
  readonly load: Load;
}

function startLoads(app: App): Promise<readonly Placed[]> {
  return Promise.all(
    organizations.names.map(async (organization, n) => {
      const token = await organizations.token(organization);
      return { organization, token, load: startLoad(app, n === 0 ? CALLERS : 1, token) };
    }),
  );
}

const stop = (loads: readonly Placed[]) => Promise.all(loads.map(({ load }) => load.stop()));

/** Resolves when each of the loads has done something more, and the first one much more. */
function progress(...all: readonly (readonly Placed[])[]): Promise<void> {
  const loads = all.flat();
  const done = ({ load }: Placed) => load.acknowledged().length;
  const wanted = loads.map((placed) => done(placed) + (placed.organization === organizations.names[0] ? 100 : 5));
  return waitUntil(() => loads.every((placed, index) => done(placed) >= (wanted[index] ?? 0)), 60_000);
}

describe("the database, then a server, killed under load on two servers and 16 ledgers", () => {
  it("loses nothing acknowledged and records nothing twice, wherever callers try again", async () => {
    const first = await start();
    const second = await start();
    const loads = [await startLoads(first), await startLoads(second)] as const;
    await progress(...loads);

    process.kill(postgres.pid, "SIGKILL");
    await progress(...loads);
    expect(restarts).toBe(1);
    // Both servers lived through it, so nobody was left without an answer.
    const codes = new Set(loads.flat().flatMap(({ load }) => load.refused().map(({ code }) => code)));
    expect([...codes].filter((code) => code !== "LEDGER_UNAVAILABLE")).toEqual([]);

    await first.kill();
    await stop(loads[0]);
    await progress(loads[1]);
    const third = await start();
    const more = await startLoads(third);
    await progress(loads[1], more);
    await Promise.all([stop(loads[1]), stop(more)]);

    // Calls were under way when the server was killed: otherwise this shows nothing.
    expect(loads[0].flatMap(({ load }) => load.refused().map(({ code }) => code))).toContain("CONNECTION");
    for (const organization of organizations.names) {
      const own = [...loads, more].flat().filter((placed) => placed.organization === organization);
      await expectNothingLost(own, second, third);
      for (const [name, app] of Object.entries({ second, third })) {
        expect(await faultsOfServer(organizations, organization, { name, app })).toEqual([]);
      }
    }
  }, 300_000);
});

/** What was acknowledged of one organization is in its ledger, once; what was not is proposed again, at both servers. */
async function expectNothingLost(placed: readonly Placed[], second: App, third: App): Promise<void> {
  const [{ organization, token }] = placed as readonly [Placed, ...Placed[]];
  const before = new Map((await readLedger(postgres.url, `${organization}/eu`)).map(({ seq, hash }) => [seq, hash]));
  const acknowledged = placed.flatMap(({ load }) => load.acknowledged());
  for (const { seq, hash } of acknowledged) expect(`sha256:${before.get(seq ?? "")}`).toBe(hash);
  expect(new Set(acknowledged.map(({ seq }) => seq)).size).toBe(acknowledged.length);

  // At once: they get one answer, the same.
  const late: Outcome[] = [];
  for (const { key } of placed.flatMap(({ load }) => load.refused())) {
    const [here, there] = await Promise.all([propose(second, key, token), propose(third, key, token)]);
    expect(here).toEqual(there);
    expect(here.seq).toBeDefined();
    late.push(here);
  }
  // And so does, of those that were acknowledged, every tenth.
  for (const known of acknowledged.filter((_, index) => index % 10 === 0)) {
    expect(await propose(second, known.key, token)).toEqual(known);
  }
  const after = await readLedger(postgres.url, `${organization}/eu`);
  const proposals = countByAction(after, "ACTION_PROPOSED");
  expect([...proposals.values()].filter((count) => count !== 1)).toEqual([]);
  expect(proposals.size).toBe(acknowledged.length + late.length);
}
