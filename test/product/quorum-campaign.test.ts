import { expect, it } from "vitest";
import { runQuorum } from "../campaign/quorum/run.ts";
import { createTestDatabase } from "../support/postgres.ts";

it("however many decide and start at once, on two servers, each action has two people and one start (the short form of campaign:quorum)", async () => {
  const database = await createTestDatabase();
  try {
    const result = await runQuorum({ databaseUrl: database.appUrl, clients: 8, tries: 30, actions: 16 });
    expect(result).toMatchObject({ faults: [], statuses: { EXECUTING: 16 }, verdict: "INTACT", version: 2 });
    const { outcomes } = result;
    expect(Object.keys(outcomes).filter((what) => what.startsWith("agent: "))).toEqual(["agent: AGENT_CANNOT_DECIDE"]);
    expect(Object.keys(outcomes).filter((what) => what.startsWith("requester: "))).toEqual([
      "requester: REQUESTER_CANNOT_DECIDE",
    ]);
    expect(outcomes["start: EXECUTING"] ?? 0).toBeLessThanOrEqual(16);
  } finally {
    await database.drop();
  }
}, 180_000);
