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

/** What tests of a file share that start several servers. */
export interface ServedApis {
  readonly database: TestDatabase;
  /** Starts one more server, which is closed after the last test. */
  start(options?: ApiOptions): Promise<Api>;
  /** Those that were started, in their order. */
  readonly started: readonly Api[];
}

/** Makes a database for servers that tests start, which are closed after the last test. Call it once, at the top of a file. */
export function serveApis(): ServedApis {
  let database: TestDatabase | undefined;
  const started: Api[] = [];
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await Promise.all(started.map((api) => api.close()));
    await database?.drop();
  });
  const shared = later(() => database);
  return {
    database: shared,
    started,
    async start(options) {
      const api = await startApi(shared.appUrl, options);
      started.push(api);
      return api;
    },
  };
}
