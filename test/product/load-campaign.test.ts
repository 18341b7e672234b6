import { expect, it } from "vitest";
import { runLoad } from "../campaign/load/run.ts";
import { createTestDatabase } from "../support/postgres.ts";

it("hostile clients keep nobody else from proposing and approving (the short form of campaign:load)", async () => {
  const database = await createTestDatabase();
  try {
    const { before, beside, attacked, errors } = await runLoad({ seconds: 3, honest: 4, databaseUrl: database.appUrl });
    expect([...before.refused, ...beside.refused, ...errors]).toEqual([]);
    expect(beside.approve.count).toBeGreaterThan(0);
    // Each of the hostile clients had its say.
    expect(Object.keys(attacked).length).toBeGreaterThanOrEqual(8);
    expect(beside.memory).toBeLessThan(2 ** 30);
  } finally {
    await database.drop();
  }
}, 120_000);
