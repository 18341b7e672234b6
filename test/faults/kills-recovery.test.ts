import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type App, forget, startApp } from "../support/app.ts";
import { waitUntil } from "../support/wait.ts";
import { type Load, startLoad } from "./load.ts";

const CALLERS = 32;
const DATABASE_KILLS = 7;
const SERVER_KILLS = 3;
/** Seconds until calls succeed again. */
const MEDIAN = 5;
const WORST = 15;

let running: App | undefined;
afterEach(async () => {
  await running?.stop();
  if (running !== undefined) await forget(running);
});

async function postmaster(dataDir: string): Promise<number> {
  const file = await readFile(path.join(dataDir, "postgres", "postmaster.pid"), "utf8");
  return Number(file.split("\n")[0]);
}

/** Seconds until `load` has more proposals acknowledged than it has now, so many that no earlier call is among them alone. */
async function untilServed(load: Load, since: number): Promise<number> {
  const before = load.acknowledged().length;
  await waitUntil(() => load.acknowledged().length > before + CALLERS, 120_000);
  return (performance.now() - since) / 1_000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

describe("after a kill under load", () => {
  it("calls succeed again within seconds", async () => {
    let app = await startApp();
    running = app;
    const times: { readonly killed: string; readonly seconds: number }[] = [];
    let load = startLoad(app, CALLERS);
    await waitUntil(() => load.acknowledged().length >= 200, 60_000);
    for (let n = 0; n < DATABASE_KILLS; n += 1) {
      const since = performance.now();
      process.kill(await postmaster(app.dataDir), "SIGKILL");
      times.push({ killed: "database", seconds: await untilServed(load, since) });
    }
    for (let n = 0; n < SERVER_KILLS; n += 1) {
      const since = performance.now();
      await app.kill();
      await load.stop();
      app = await startApp({ dataDir: app.dataDir });
      running = app;
      load = startLoad(app, CALLERS);
      times.push({ killed: "server and its database", seconds: await untilServed(load, since) });
    }
    await load.stop();
    const seconds = times.map((time) => time.seconds);
    console.info(`seconds until ${CALLERS} calls succeeded after a kill:`, times);
    expect(median(seconds)).toBeLessThan(MEDIAN);
    expect(Math.max(...seconds)).toBeLessThan(WORST);
  }, 400_000);
});
