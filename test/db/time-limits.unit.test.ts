import { describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { createFollower } from "../../src/ledger/follow.ts";
import { createLedgers } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { createTestWatch } from "../support/watch.ts";

const BAD = [Number.NaN, -1, Number.POSITIVE_INFINITY, 2 ** 31];
const connection = {
  connectionString: "postgres://nobody@127.0.0.1:1/none",
  max: 1,
  applicationName: "test",
  log: silent,
};
const pool = createPool(connection);

describe("times that are no numbers of their unit are refused", () => {
  it.each(BAD)("by pools: %d", (limit) => {
    for (const name of ["statementTimeoutMs", "lockTimeoutMs", "idleInTransactionTimeoutMs", "connectionTimeoutMs"]) {
      expect(() => createPool({ ...connection, [name]: limit }), name).toThrow(RangeError);
    }
  });

  it.each(BAD)("by ledgers and followers: %d", (limit) => {
    expect(() => createLedgers({ pool, capacity: 1, clockToleranceMs: limit })).toThrow(RangeError);
    expect(() => createLedgers({ pool, capacity: 1, limits: { appendMs: limit, headLockMs: 1 } })).toThrow(RangeError);
    expect(() => createFollower({ pool, idleSeconds: limit })).toThrow(RangeError);
  });

  it.each([Number.NaN, -1, 0, Number.POSITIVE_INFINITY])("by the watcher: %d", (value) => {
    for (const name of ["tailIntervalMs", "wholeIntervalMs", "share"]) {
      expect(() => createTestWatch(pool, "/nowhere", { [name]: value }), name).toThrow(RangeError);
    }
  });

  it.each([Number.NaN, -1, 0])("also a capacity: %d", (capacity) => {
    expect(() => createLedgers({ pool, capacity })).toThrow(RangeError);
  });
});
