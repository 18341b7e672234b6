import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { effectiveSettings } from "../src/cli/effective-settings.ts";
import { checkConfig, loadConfig, type SettingName } from "../src/config.ts";

/** Milliseconds after which a timer of Node fires at once instead. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** What is done with each time: waited for by one timer of Node, by `rest`, which sets several, added to an instant, or compared. */
const USES: Readonly<Partial<Record<SettingName, "timer" | "rest" | "instant" | "age">>> = {
  HEADER_TIMEOUT: "timer",
  IDLE_TIMEOUT: "timer",
  SEND_TIMEOUT: "timer",
  APPROVAL_TTL: "instant",
  GRANT_TTL: "instant",
  EXECUTION_TTL: "instant",
  EXECUTION_LIMIT: "instant",
  CHAIN_IDLE: "instant",
  SESSION_TTL: "instant",
  HOME_COPY_MAX_AGE: "age",
  CLAIMS_MAX_AGE: "timer",
  DECISION_CLAIMS_MAX_AGE: "age",
  HEARTBEAT: "timer",
  SWEEP_INTERVAL: "timer",
  APPEND_TIMEOUT: "timer",
  HEAD_LOCK_TIMEOUT: "timer",
  READ_TIMEOUT: "timer",
  SEARCH_TIMEOUT: "timer",
  SNAPSHOT_TIMEOUT: "timer",
  JOB_TIMEOUT: "timer",
  REPORT_TIMEOUT: "instant",
  AUDIT_TIMEOUT: "instant",
  READINESS_TIMEOUT: "timer",
  WATCH_INTERVAL: "rest",
  WATCH_WHOLE_INTERVAL: "rest",
  CHANNEL_CLAIMS_MAX_AGE: "instant",
  CHANNEL_LEASE: "timer",
  CHANNEL_INTERVAL: "timer",
  CLOCK_TOLERANCE: "instant",
};

const source = readFileSync(path.resolve(import.meta.dirname, "../src/config.ts"), "utf8");
const names = [...source.matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name]) => name as SettingName);

/** What the message about a value that nothing takes says of the range. */
function rangeOf(name: SettingName) {
  const [problem = ""] = checkConfig({ [name]: "\0 no" }).problems;
  const [, unit, from, to] =
    /of (\w+) from ([\d.]+) to (\d+)/.exec(problem) ?? /()from ([\d.]+) to (\d+)/.exec(problem) ?? [];
  return from === undefined ? undefined : { unit, from: Number(from), to: Number(to) };
}

const ranges = names.flatMap((name) => {
  const range = rangeOf(name);
  return range === undefined ? [] : [[name, range] as const];
});

describe("every setting", () => {
  it("is known here", () => {
    expect(names.length).toBeGreaterThan(45);
    expect(Object.keys(USES).sort()).toEqual(
      ranges
        .filter(([, { unit }]) => unit === "seconds")
        .map(([name]) => name)
        .sort(),
    );
  });

  it.each(names)(
    "%s refuses what is too long or no value of its type, in a message that begins with its name",
    (name) => {
      for (const value of ["\0 no", "x".repeat(1_000_000)]) {
        const { problems } = checkConfig({ [name]: value });
        expect(problems.find((problem) => problem.startsWith(`${name} has to be `))).toBeDefined();
      }
    },
  );
});

describe("both ends of a range", () => {
  it.each(ranges)("are taken for %s, and nothing beyond them is", (name, { from, to }) => {
    // An execution may not be expected later than it may end.
    const besides = name === "EXECUTION_LIMIT" ? { EXECUTION_TTL: "1" } : {};
    for (const end of [from, to]) {
      const config = loadConfig({ ...besides, [name]: String(end) });
      expect(effectiveSettings(config)[name]).toBeCloseTo(end, 9);
    }
    const beyond = [String(to + 1), ...(from > 0 ? [String(Number((from * 0.9).toFixed(6)))] : ["-1"])];
    for (const value of beyond) expect(checkConfig({ ...besides, [name]: value }).problems, value).toHaveLength(1);
  });

  it.each(ranges.filter(([name]) => name in USES))("%s overflow no timer and no timestamp", (name, { from, to }) => {
    // An age is compared and starts no timer, so that it may be none.
    if (USES[name] !== "age") expect(from * 1_000).toBeGreaterThanOrEqual(1);
    // Twice, because calls of the database are given up after two limits, and pauses vary.
    if (USES[name] === "timer") expect(2 * to * 1_000 + 1_000).toBeLessThanOrEqual(LONGEST_TIMER);
    // Recorded times have years of four digits.
    const latest = new Date(Date.UTC(9_990, 0) + to * 1_000);
    expect(latest.toISOString()).toMatch(/^\d{4}-/);
  });
});

describe("settings that depend on each other", () => {
  it("are refused when an execution may take less time than is expected of it", () => {
    const { problems } = checkConfig({ EXECUTION_TTL: "600", EXECUTION_LIMIT: "599" });
    expect(problems).toEqual(["EXECUTION_LIMIT has to be at least EXECUTION_TTL, which is 600, not 599"]);
    expect(loadConfig({ EXECUTION_TTL: "100000" }).executionLimit).toBe(100_000);
  });

  it("are all reported, with those that are wrong by themselves", () => {
    const { problems, config } = checkConfig({ PORT: "x", TLS_KEY_FILE: "key.pem", REGION: "us" });
    expect(problems.map((problem) => problem.split(" ")[0])).toEqual(["PORT", "TLS_CERT_FILE"]);
    expect(config).toMatchObject({ port: 4000, region: "us" });
  });
});

describe("effective settings", () => {
  it("have regions, without their passwords", () => {
    const shown = effectiveSettings(
      loadConfig({ REGIONS: "us=postgres://me:hunter2@db/x", REGION_ADDRESSES: "ap=https://ap.example" }),
    );
    expect(shown).toMatchObject({ REGIONS: "us=postgres://me@db/x", REGION_ADDRESSES: "ap=https://ap.example" });
    expect(Object.keys(shown)).not.toContain("MIGRATION_REGIONS");
  });

  it("have no password and no token", () => {
    const DATABASE_URL = "postgres://me:hunter2@db.example:5433/x?sslmode=verify-full&password=hunter2";
    const shown = effectiveSettings(loadConfig({ DATABASE_URL, COUNTERSIGN_TOKEN: "hunter2" }));
    expect(JSON.stringify(shown)).not.toContain("hunter2");
    expect(shown).toMatchObject({
      DATABASE_URL: "postgres://me@db.example:5433/x?sslmode=verify-full",
      MIGRATION_DATABASE_URL: "postgres://me@db.example:5433/x?sslmode=verify-full",
      COUNTERSIGN_TOKEN: "(set)",
      HEARTBEAT: 15,
    });
    expect(Object.keys(shown)).not.toContain("IDENTITY_FILE");
  });
});
