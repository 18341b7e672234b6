import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSessions } from "../../src/domain/sessions/sessions.ts";
import type { Services } from "../../src/graphql/base/services.ts";
import { type Answer, type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, propose } from "./steps.ts";

let database: TestDatabase;
let api: Api;
/** Seconds that sessions begun from now on last. */
let sessionTtl = 600;

/** The same, with sessions that last as long as the test says, and begin at an address. */
function withSessions(services: Services): Services {
  const { pool: db, ledgers, region, sessions } = services;
  const start: typeof sessions.start = (caller, input) =>
    createSessions({ db, ledgers, region, sessionTtl }).start({ ...caller, address: "203.0.113.7" }, input);
  return { ...services, sessions: { ...sessions, start } };
}

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.superuserUrl, { services: withSessions });
});
afterAll(async () => {
  await api?.close();
  await database?.drop();
});

const SESSION = "id address endReason endedAt expiresAt conversationId entries{nodes{type actor{id}}}";
interface Told {
  readonly session: {
    readonly id: string;
    readonly address: string | null;
    readonly entries: { readonly nodes: readonly { readonly type: string; readonly actor: { readonly id: string } }[] };
  };
}

interface Paged {
  readonly session: {
    readonly entries: {
      readonly nodes: readonly { readonly type: string }[];
      readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
    };
  };
}

describe("a session", () => {
  it("shows its owner where it began and that the server ended it, which is nobody's entry", async () => {
    sessionTtl = 0;
    const { session } = await act<Told>(api, "startSession", { conversationId: "c" }, "member", `session{${SESSION}}`);
    expect(session).toMatchObject({ address: "203.0.113.7", endReason: null, endedAt: null, conversationId: "c" });
    sessionTtl = 600;
    await api.services.sessions.settleDue(10);
    const query = `query($id:ID!){session(id:$id){${SESSION}}}`;
    for (const as of ["member", "auditor"] as const) {
      const { data } = await api.gql<Told>(query, { id: session.id }, { as });
      expect(data.session).toMatchObject({ endReason: "EXPIRED", endedAt: expect.any(String) });
      expect(data.session.entries.nodes).toEqual([
        { type: "SESSION_STARTED", actor: { id: "member" } },
        { type: "SESSION_ENDED", actor: { id: "countersign" } },
      ]);
    }
  });

  it("pages through its timeline with its own entries in their places", async () => {
    const { session } = await act<Told>(api, "startSession", {}, "member", "session{id}");
    for (let n = 0; n < 3; n += 1) await propose(api);
    await act(api, "endSession", { sessionId: session.id }, "member", "userErrors{code}");
    const query =
      "query($id:ID!,$after:String){session(id:$id){entries(first:2,after:$after){nodes{type} pageInfo{hasNextPage endCursor}}}}";
    const pages: string[][] = [];
    let after: string | null = null;
    do {
      const answer: Answer<Paged> = await api.gql<Paged>(query, { id: session.id, after }, { as: "member" });
      const { nodes, pageInfo }: Paged["session"]["entries"] = answer.data.session.entries;
      pages.push(nodes.map(({ type }) => type));
      after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
    } while (after !== null);
    expect(pages).toEqual([
      ["SESSION_STARTED", "ACTION_PROPOSED"],
      ["ACTION_PROPOSED", "ACTION_PROPOSED"],
      ["SESSION_ENDED"],
    ]);
  });

  it("of many entries is read at once", async () => {
    const { session } = await act<Told>(api, "startSession", {}, "member", "session{id}");
    for (let n = 0; n < 6; n += 1) await propose(api);
    const entries = async (first: number) => {
      api.queries();
      const query = `{auditEntries(newestFirst:true,first:${first}){nodes{session{id address}}}}`;
      const { data } = await api.gql<{ auditEntries: { nodes: readonly { session: { id: string } }[] } }>(
        query,
        {},
        { as: "auditor" },
      );
      expect(data.auditEntries.nodes.map((node) => node.session.id)).toEqual(
        Array.from({ length: first }, () => session.id),
      );
      return api.queries();
    };
    expect(await entries(6)).toBe(await entries(1));
    await act(api, "endSession", { sessionId: session.id }, "member", "userErrors{code}");
  });

  it("costs what a page of sessions with their entries may cost", async () => {
    const query = (first: number) => `{sessions(first:${first}){nodes{entries(first:100){nodes{body hash}}}}}`;
    expect((await api.gql(query(100), {}, { as: "auditor" })).errors).toBeUndefined();
    const dear = `{sessions(first:100){nodes{entries(first:100){nodes{body hash type session{id method address}}}}}}`;
    const { errors } = await api.gql(dear, {}, { as: "auditor" });
    expect(errors?.[0]?.extensions.code).toBe("QUERY_TOO_COMPLEX");
  });
});
