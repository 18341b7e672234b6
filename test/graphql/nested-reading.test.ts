import type { JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createReadingLog } from "../../src/domain/reading-log/reading-log.ts";
import { searchEntries } from "../../src/ledger/search.ts";
import { type Api, startApi } from "../http/harness.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, type Proposed, propose, READ } from "./steps.ts";

let database: TestDatabase;
let api: Api;
let read: Proposed;
let written: Proposed;
let session: { readonly id: string };

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, {
    services: (services) => ({
      ...services,
      // Has no room to count anything, so each reading is an entry of its own.
      readingLog: createReadingLog({
        ledgers: services.ledgers,
        region: "eu",
        attribute: "none",
        log: silent,
        capacity: 0,
      }),
    }),
  });
  ({ session } = await act<{ session: { id: string } }>(api, "startSession", {}, "member", "session{id}"));
  read = await propose(api, READ);
  written = await propose(api);
  const { id: actionId, digest } = written.action;
  await act(api, "approveAction", { actionId, digest }, "approver");
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

const auditor = (id: string): JWTPayload => ({ sub: id, org: "acme", kind: "HUMAN", roles: ["auditor"], groups: [] });

/** What is recorded of `actorId` having read, in order. */
async function readings(actorId: string): Promise<readonly [field: string | undefined, entries: number][]> {
  const filter = { actorId, types: ["AUDIT_READ"] };
  const entries = await searchEntries(api.services.pool, "acme/eu", filter, { limit: 100 });
  return entries.map(({ body }) => {
    const { reads, entries: shown } = body.read as { readonly reads: object; readonly entries: number };
    return [Object.keys(reads)[0], shown];
  });
}

let readers = 0;
async function readBy(query: string) {
  const id = `auditor-${readers++}`;
  const { errors } = await api.gql(query, {}, { token: await api.sign(auditor(id)) });
  expect(errors).toBeUndefined();
  return readings(id);
}

describe("entries that belong to something else", () => {
  it("are read like any others: of an action", async () => {
    expect(await readBy("{actions{nodes{status entries{body}}}}")).toEqual([
      ["action.entries", 2],
      ["action.entries", 1],
    ]);
    expect(await readBy(`{node(id:"${written.action.id}"){... on Action{entries{seq}}}}`)).toEqual([
      ["action.entries", 2],
    ]);
    expect(await readBy("{actions{nodes{decisions{entry{body}}}}}")).toEqual([["decision.entry", 1]]);
  });

  it("are read like any others: along the lineage", async () => {
    expect(await readBy(`{auditEntry(seq:"${written.entry.seq}"){sources{body}}}`)).toEqual([
      ["auditEntry", 1],
      ["auditEntry.sources", 1],
    ]);
    const derived = await readBy(`{auditEntry(seq:"${read.entry.seq}"){derived{body}}}`);
    expect(derived).toEqual([
      ["auditEntry", 1],
      ["auditEntry.derived", expect.any(Number)],
    ]);
  });

  it("are read like any others: of a session, which is itself read", async () => {
    expect(await readBy(`{session(id:"${session.id}"){address entries(first:5){nodes{seq}}}}`)).toEqual([
      ["session", 1],
      ["session.entries", 3],
    ]);
    expect(await readBy(`{node(id:"${session.id}"){... on Session{address}}}`)).toEqual([["node", 1]]);
    expect(await readBy('{session(id:"nothing"){id}}')).toEqual([["session", 0]]);
  });

  it("are not recorded as read when the caller did what they record", async () => {
    const query = `{action(id:"${written.action.id}"){entries{seq sources{seq}} decisions{entry{seq}}}}`;
    expect((await api.gql(query, {}, { as: "agent" })).errors).toBeUndefined();
    expect(await readings("agent")).toEqual([]);
    const own = `{session(id:"${session.id}"){address}}`;
    expect((await api.gql(own, {}, { as: "member" })).errors).toBeUndefined();
    expect(await readings("member")).toEqual([]);
  });
});

describe("the search for the entries of each of many sessions", () => {
  it("costs more than a field", async () => {
    const timeline = "session{entries(first:1){nodes{SESSION}}}";
    const nested = timeline.replace("SESSION", timeline.replace("SESSION", timeline.replace("SESSION", "seq")));
    const many = Array.from({ length: 10 }, (_, n) => `a${n}:auditEntries(first:100){nodes{${nested}}}`);
    const { errors } = await api.gql(`{${many.join(" ")}}`, {}, { as: "auditor" });
    expect(errors?.[0]?.extensions.code).toBe("QUERY_TOO_COMPLEX");
  });
});
