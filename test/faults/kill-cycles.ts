import { setTimeout as pause } from "node:timers/promises";
import { waitUntil } from "../support/wait.ts";
import { findFaults } from "./after-kills.ts";
import { type Installation, startInstallation, TARGETS, type Target } from "./killing.ts";
import { seeded } from "./seeded.ts";
import { STEPS, type Step } from "./steps.ts";
import { type CycleLoad, recoveryOf, startCycles } from "./whole-cycles.ts";

/** One time that something was killed. Times are seconds from the kill. */
export interface KillCycle {
  readonly number: number;
  readonly killed: readonly Target[];
  /** Until each step, called after the kill, was acknowledged by every server that the kill concerns. */
  readonly steps: ReadonlyMap<Step, number>;
  /** The longest of them. */
  readonly recovery: number;
  /** The same for a caller who tries again at any server. */
  readonly anywhere: number;
}

export interface KillsOptions {
  readonly cycles: number;
  readonly clients: number;
  readonly ledgers: number;
  /** Of what is killed and when, and of what clients do; the schedule of processes differs all the same. */
  readonly seed: number;
  /** Settings of the servers. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What is killed in each cycle; left out, each in turn, and every fifth time another one with it. */
  readonly targets?: (number: number) => readonly Target[];
  readonly onCycle?: (cycle: KillCycle, load: CycleLoad) => void;
}

export interface KillsResult {
  readonly cycles: readonly KillCycle[];
  readonly faults: readonly string[];
  readonly load: CycleLoad;
}

/** Milliseconds between the moment when everything works and the next kill, at most. */
const LATEST = 2_000;
/** Milliseconds between two kills of one cycle, at most. */
const APART = 300;
/** Milliseconds after which a server that does not recover is a fault. */
const PATIENCE = 120_000;

/** Kills parts of an installation under load, again and again, and looks for whatever got lost or was done twice. */
export async function runKills(options: KillsOptions): Promise<KillsResult> {
  const random = seeded(options.seed);
  const installation = await startInstallation(options.ledgers, options.environment);
  try {
    const { places, organizations } = installation;
    const load = await startCycles({
      places,
      organizations,
      clients: options.clients,
      random: seeded(options.seed + 1),
    });
    await served(
      load,
      places.map(({ name }) => name),
      performance.now(),
    );
    const cycles: KillCycle[] = [];
    const targets = options.targets ?? ((number) => targetsOf(number, random));
    const faults: string[] = [];
    for (let number = 1; number <= options.cycles; number += 1) {
      await pause(random() * LATEST);
      const killed = targets(number);
      try {
        const cycle = await oneCycle(installation, load, { number, killed, random });
        cycles.push(cycle);
        options.onCycle?.(cycle, load);
      } catch (error) {
        faults.push(
          `after kill ${number} (${killed.join(" and ")}): ${error instanceof Error ? error.message : error}`,
        );
        break;
      }
    }
    await load.stop();
    faults.push(...installation.faults, ...load.faults, ...(await findFaults(installation, load)));
    return { cycles, faults, load };
  } finally {
    await installation.close();
  }
}

const OTHERS: Readonly<Record<Target, readonly Target[]>> = {
  database: ["server A", "server B"],
  backend: ["server A", "server B"],
  "server A": ["database", "server B"],
  "server B": ["database", "server A"],
};

function targetsOf(number: number, random: () => number): readonly Target[] {
  const first = TARGETS[number % TARGETS.length] as Target;
  if (number % 5 !== 0) return [first];
  // The database may still be away when the second is killed, and has no backend then.
  const others = OTHERS[first];
  return [first, others[Math.floor(random() * others.length)] as Target];
}

async function oneCycle(
  installation: Installation,
  load: CycleLoad,
  { number, killed, random }: { readonly number: number; readonly killed: readonly Target[]; random: () => number },
): Promise<KillCycle> {
  const from = performance.now();
  for (const [at, target] of killed.entries()) {
    if (at > 0) await pause(random() * APART);
    await installation.kill(target);
  }
  // Until the last kill, calls may succeed.
  const since = performance.now();
  const servers = killed.filter((target) => target === "server A" || target === "server B");
  const isDatabase = servers.length < killed.length;
  const concerned = isDatabase ? installation.places.map(({ name }) => name) : servers;
  const steps = await served(load, concerned, since, from);
  const anywhere = recoveryOf(load.recorded, undefined, since, from);
  return {
    number,
    killed,
    steps,
    recovery: Math.max(...steps.values()),
    anywhere: Math.max(...(anywhere?.values() ?? [Number.POSITIVE_INFINITY])),
  };
}

/** Seconds from `from` until each of the servers has acknowledged each step that was called after `since`. */
async function served(
  { recorded }: CycleLoad,
  places: readonly string[],
  since: number,
  from = since,
): Promise<ReadonlyMap<Step, number>> {
  const times = () => places.map((place) => recoveryOf(recorded, place, since, from));
  await waitUntil(() => times().every((found) => found !== undefined), PATIENCE);
  const all = times();
  return new Map(
    STEPS.map((step) => [step, Math.max(...all.map((found) => found?.get(step) ?? Number.POSITIVE_INFINITY))]),
  );
}
