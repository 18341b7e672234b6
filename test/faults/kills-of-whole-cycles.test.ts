import { expect, it } from "vitest";
import { runKills } from "./kill-cycles.ts";
import type { Target } from "./killing.ts";

const KILLS: readonly (readonly Target[])[] = [["backend"], ["database", "server A"], ["server B"]];

/** A short form of `npm run campaign:kills`. */
it("loses nothing and does nothing twice of whole cycles of actions while servers and their database are killed", async () => {
  const { cycles, faults, load } = await runKills({
    cycles: KILLS.length,
    clients: 16,
    ledgers: 2,
    seed: 1,
    environment: { WATCH_SHARE: "50", WATCH_INTERVAL: "1", WATCH_WHOLE_INTERVAL: "5" },
    targets: (number) => KILLS[number - 1] ?? [],
  });
  expect(faults).toEqual([]);
  expect(cycles.map(({ killed }) => killed)).toEqual(KILLS);
  // Calls were under way when something was killed: otherwise this shows nothing.
  expect(load.unknown()).toBeGreaterThan(0);
}, 400_000);
