import { z } from "zod";

/** Seconds of the units that durations are written in. */
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const DURATION = /^[1-9][0-9]{0,6}[smhd]$/;
const LONGEST = 30 * 86_400;

/** A duration as documents have it: `90s`, `15m`, `2h` or `7d`, from a second to 30 days. */
export const durationSchema = z
  .string()
  .regex(DURATION, "has to be a number with s, m, h or d, such as 15m")
  .refine((text) => secondsOf(text) <= LONGEST, "has to be at most 30d");

/** The seconds of a duration like those that `durationSchema` accepts, however long; NaN for a text that is none. */
export function secondsOf(duration: string): number {
  if (!DURATION.test(duration)) return Number.NaN;
  return Number(duration.slice(0, -1)) * (SECONDS[duration.slice(-1)] ?? Number.NaN);
}
