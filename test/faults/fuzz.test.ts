import { expect, it } from "vitest";
import { runFuzz, TARGET_NAMES } from "../campaign/fuzz/run.ts";

/** Seconds in CI; `npm run fuzz` fuzzes as long as it is told. */
const { FUZZ_SECONDS } = process.env;
const LONG = 1_000;
const INPUTS = 80;
const SEED = 20_261_126;
const amount = FUZZ_SECONDS === undefined ? { seconds: LONG, inputs: INPUTS } : { seconds: Number(FUZZ_SECONDS) };

it(
  "survives hostile input at every door, and records nothing that was not sent",
  async () => {
    const result = await runFuzz({ seed: SEED, targets: TARGET_NAMES, ...amount });
    expect(result.faults).toEqual([]);
    expect([...result.inputs.keys()].sort()).toEqual([...TARGET_NAMES].sort());
    // It got somewhere: operations were executed, and recorded.
    expect(result.outcomes.get("200")).toBeGreaterThan(0);
    expect(result.entries).toBeGreaterThan(10);
  },
  LONG * 1_000,
);
