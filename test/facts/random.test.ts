import { expect, it } from "vitest";
import { newId, RANDOM_BYTES, randomBytes16 } from "../../src/facts/random.ts";

it("returns other bytes each time, also when they are drawn anew", () => {
  const seen = new Set(Array.from({ length: 2_000 }, () => Buffer.from(randomBytes16()).toString("hex")));
  expect(seen.size).toBe(2_000);
  expect([...seen].every((text) => text.length === RANDOM_BYTES * 2)).toBe(true);
});

it("makes UUIDs of version 7 that begin with the time in milliseconds", () => {
  const before = Date.now();
  const ids = Array.from({ length: 2_000 }, newId);
  const after = Date.now();
  expect(new Set(ids).size).toBe(2_000);
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const time = Number.parseInt(id.replace("-", "").slice(0, 12), 16);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(after);
  }
});
