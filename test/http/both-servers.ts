import { afterAll, beforeAll } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { type Api, startApi } from "./harness.ts";

/** Two servers of the API on one database, started and stopped with the tests of a file. */
export interface BothServers {
  readonly database: () => TestDatabase;
  /** The server of the product. */
  readonly api: () => Api;
  /** The same, but Yoga alone responds. */
  readonly byYoga: () => Api;
}

export function startBothServers(): BothServers {
  let database: TestDatabase | undefined;
  const servers: Api[] = [];
  beforeAll(async () => {
    database = await createTestDatabase();
    for (const jsonRoute of [true, false]) servers.push(await startApi(database.appUrl, { jsonRoute }));
  });
  afterAll(async () => {
    for (const server of servers) await server.close();
    await database?.drop();
  });
  const started = <Value>(value: Value | undefined): Value => {
    if (value === undefined) throw new Error("the servers are started before the first test, not earlier");
    return value;
  };
  return { database: () => started(database), api: () => started(servers[0]), byYoga: () => started(servers[1]) };
}
