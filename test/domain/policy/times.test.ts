import { describe, expect, it } from "vitest";
import { policyOf, situation } from "./situations.ts";

const matches = (when: string, now: string) =>
  policyOf(`  - { id: r, when: ${JSON.stringify(when)}, forbid: true, reason: r }`).judge(
    situation({ now: new Date(now) }),
  ).explanation[0];

/** `getHours()` and the like of a timestamp of CEL that is written out, so that the library calls them. */
const CASES: readonly (readonly [at: string, zone: string, expected: Readonly<Record<string, number>>])[] = [
  [
    "2026-03-08T07:30:15.250Z",
    "America/New_York",
    { getHours: 3, getMinutes: 30, getSeconds: 15, getMilliseconds: 250 },
  ],
  [
    "2026-03-08T06:59:59.999Z",
    "America/New_York",
    { getHours: 1, getMinutes: 59, getSeconds: 59, getMilliseconds: 999 },
  ],
  ["2026-03-29T01:30:00Z", "Europe/Berlin", { getHours: 3, getMinutes: 30, getDayOfWeek: 0, getDayOfYear: 87 }],
  ["2026-03-29T02:30:00Z", "UTC", { getHours: 2, getMinutes: 30 }],
  ["2026-03-08T02:30:00Z", "+00:00", { getHours: 2, getMinutes: 30, getMonth: 2, getDate: 8, getDayOfMonth: 7 }],
  ["2026-12-31T23:59:30Z", "Pacific/Kiritimati", { getFullYear: 2027, getDayOfYear: 0, getHours: 13 }],
  [
    "2026-01-01T00:15:00Z",
    "-00:30",
    { getFullYear: 2025, getMonth: 11, getHours: 23, getMinutes: 45, getDayOfYear: 364 },
  ],
  ["2026-01-01T00:15:00Z", "05:45", { getHours: 6, getMinutes: 0 }],
  ["1972-01-07T00:44:29Z", "Africa/Monrovia", { getHours: 23, getMinutes: 59, getSeconds: 59, getDate: 6 }],
  ["1972-01-07T00:44:31Z", "Africa/Monrovia", { getHours: 0, getMinutes: 44, getSeconds: 31, getDate: 7 }],
  ["1800-06-01T12:00:00.5Z", "Europe/Berlin", { getHours: 12, getMinutes: 53, getSeconds: 28, getMilliseconds: 500 }],
  ["0050-06-01T12:00:00Z", "UTC", { getFullYear: 50, getMonth: 5, getDayOfYear: 151 }],
];

describe("parts of a time", () => {
  it.each(CASES)("%s in %s", (at, zone, expected) => {
    for (const [method, value] of Object.entries(expected)) {
      const written = `timestamp("${at}").${method}("${zone}") == ${value}`;
      const ofNow = `now.${method}("${zone}") == ${value}`;
      expect({ written, ...matches(written, at) }).toMatchObject({ matched: true });
      expect({ ofNow, ...matches(ofNow, at) }).toMatchObject({ matched: true });
      expect(matches(ofNow, at)).not.toHaveProperty("error");
    }
  });

  it("are those of each minute, whatever was asked for before", () => {
    const when = 'now.getHours("Europe/Berlin") == 1 && now.getMinutes("Europe/Berlin") == 59';
    for (const at of ["2026-03-29T00:59:59.9Z", "2026-03-29T01:00:00Z", "2026-03-29T00:59:00Z"]) {
      expect(matches(when, at)?.matched).toBe(at.includes("T00:59"));
    }
  });

  it.each(['now.getHours("Nowhere/At_All") == 1', "now.getHours(args.items) == 1", 'now.getHours("+1:00") == 1'])(
    "are an error in a zone that there is not: %s",
    (when) => {
      expect(matches(when, "2026-03-29T00:59:59Z")).toMatchObject({ matched: true, error: expect.any(String) });
    },
  );
});
