import { afterAll, beforeAll } from "vitest";
import { later } from "../support/later.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { type Api, type ApiOptions, startApi } from "./harness.ts";

/** What tests of a file share. */
export interface ServedApi {
  readonly api: Api;
  readonly database: TestDatabase;
}

/** Serves the API on a database of its own, from before the first test of a file until after its last. Call it once, at the top. */
export function serveApi(options: ApiOptions = {}): ServedApi {
  let database: TestDatabase | undefined;
  let api: Api | undefined;
  beforeAll(async () => {
    database = await createTestDatabase();
    api = await startApi(database.appUrl, options);
  });
  afterAll(async () => {
    await api?.close();
    await database?.drop();
  });
  return { api: later(() => api), database: later(() => database) };
}
