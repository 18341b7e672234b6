import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pageSize } from "../../src/graphql/base/page.ts";
import { connect } from "../http/client.ts";
import { type Answer, type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import { act, propose, READ } from "./steps.ts";

let database: TestDatabase;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
  for (let at = 0; at < 12; at++)
    await propose(api, { tool: at % 2 === 0 ? "book_reservation" : "cancel_reservation" });
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

interface Page {
  readonly nodes: readonly { readonly id: string }[];
  readonly edges: readonly { readonly node: { readonly id: string } }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly hasPreviousPage: boolean; readonly endCursor: string };
}

/** Walks a connection to its end, `first` at a time. */
async function walk(field: string, first: number) {
  const found: string[] = [];
  let after: string | null = null;
  for (let pages = 0; pages < 100; pages++) {
    const query: string = `query($first:Int,$after:String){${field.replace("ARGS", "first:$first after:$after")}{nodes{id} edges{cursor node{id}} pageInfo{hasNextPage hasPreviousPage endCursor}}}`;
    const answer: Answer<Record<string, Page>> = await api.gql(query, { first, after }, { as: "admin" });
    const { data, errors } = answer;
    const page: Page | undefined = Object.values(data ?? {})[0];
    if (page === undefined) throw new Error(JSON.stringify(errors));
    expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
    expect(page.edges.map(({ node }) => node)).toEqual(page.nodes);
    found.push(...page.nodes.map(({ id }) => id));
    if (!page.pageInfo.hasNextPage) return found;
    after = page.pageInfo.endCursor;
  }
  throw new Error("endless");
}

const cursor = (text: string) => `after:"${Buffer.from(text).toString("base64url")}"`;

describe("connections", () => {
  it.each([
    ["auditEntries(ARGS)", 14],
    ["auditEntries(newestFirst:true ARGS)", 14],
    ['auditEntries(fromSeq:"5" ARGS)', 10],
    ['auditEntries(toSeq:"4",newestFirst:true ARGS)', 4],
    ['auditEntries(fromSeq:"3",toSeq:"11" ARGS)', 9],
    ['auditEntries(fromSeq:"3",toSeq:"11",newestFirst:true ARGS)', 9],
    ['auditEntries(fromSeq:"3",toSeq:"11",filter:{tool:"book_reservation"} ARGS)', 5],
    ['auditEntries(fromSeq:"0",toSeq:"9223372036854775807" ARGS)', 14],
    ['auditEntries(fromSeq:"11",toSeq:"3" ARGS)', 0],
    ['auditEntries(fromSeq:"9223372036854775807" ARGS)', 0],
    ['auditEntries(filter:{tool:"book_reservation"} ARGS)', 6],
    ["actions(ARGS)", 12],
    ["actions(status:[PENDING,SUCCEEDED] ARGS)", 12],
    ["actions(status:[SUCCEEDED] ARGS)", 0],
    ["pendingApprovals(ARGS)", 12],
    ["pendingApprovals(onlyDecidable:true ARGS)", 12],
  ])("%s gives every node once, whatever the page", async (field, count) => {
    const whole = await walk(field, 500);
    expect(whole).toHaveLength(count);
    expect(new Set(whole).size).toBe(count);
    expect(await walk(field, 5)).toEqual(whole);
    expect(await walk(field, 1)).toEqual(whole);
  });

  it("refuse what is no page", async () => {
    for (const page of [
      "first:-1",
      'after:"nonsense"',
      'after:"c2VxOi0x"',
      ...["seq:9223372036854775808", "seq:1:2", "seq:0"].map(cursor),
    ]) {
      for (const field of ["auditEntries", "actions", "pendingApprovals"]) {
        const { errors } = await api.gql(`{${field}(${page}){nodes{id}} }`, {}, { as: "admin" });
        expect(errors?.[0]?.extensions.code, `${field} ${page}`).toBe("BAD_USER_INPUT");
      }
    }
  });

  it("take the last cursor there can be, and no page is longer than 100", async () => {
    const page = `first:500 ${cursor("seq:9223372036854775807")}`;
    const { data, errors } = await api.gql<{ actions: { nodes: object[] } }>(
      `{actions(${page}){nodes{id}} }`,
      {},
      { as: "admin" },
    );
    expect(errors).toBeUndefined();
    expect(data.actions.nodes).toHaveLength(12);
    expect(pageSize({ first: 500 })).toBe(100);
  });

  it("load a page, and the fields of its nodes, in a constant number of statements", async () => {
    for (let at = 0; at < 6; at++) {
      const conversationId = `page ${at}`;
      const read = await propose(api, { ...READ, conversationId });
      await act(api, "redeemGrant", { token: read.grant?.token, digest: read.action.digest }, "agent");
      await act(api, "completeAction", { actionId: read.action.id, outcome: "SUCCEEDED", result: {} }, "agent");
      await propose(api, { conversationId });
    }
    const actions =
      "query($first:Int){actions(status:[PENDING],first:$first){nodes{id tool arguments entries{seq} decisions{verdict} lineage{kind}}}}";
    const entries =
      "query($first:Int){auditEntries(newestFirst:true,first:$first){nodes{action{id} sources{seq} derived{seq}}}}";
    const statements = async (query: string, first: number) => {
      api.queries();
      const { errors } = await api.gql(query, { first }, { as: "admin" });
      expect(errors).toBeUndefined();
      return api.queries();
    };
    for (const query of [actions, entries]) {
      // On a busy machine the list of those who were seen is read again now and then.
      await waitUntil(async () => (await statements(query, 18)) === (await statements(query, 6)));
    }
  });
});

describe("values", () => {
  it.each([
    ["auditEntry(seq:1)", "a number for a Sequence"],
    ['auditEntry(seq:"-1")', "a negative Sequence"],
    ['auditEntry(seq:"01")', "a Sequence with a zero before"],
    ['auditEntry(seq:"99999999999999999999")', "a Sequence beyond 63 bits"],
    ['auditEntry(hash:"sha256:abc")', "a short Hash"],
    ["auditEntry", "neither position nor hash"],
    ['auditEntries(filter:{recordedFrom:"2026-02-30T00:00:00Z"})', "a day that is none"],
    ['auditEntries(filter:{recordedFrom:"2026-02-20T00:00:00+01:00"})', "a time that is not in UTC"],
    ['auditEntries(filter:{chainHash:"x"})', "a UUID that is none"],
    ['verifyLedger(fromSeq:"99999")', "a range beyond the ledger"],
  ])("%s is refused: %s", async (field) => {
    const selection = field.startsWith("auditEntries")
      ? "{nodes{id}}"
      : field.startsWith("verify")
        ? "{verdict}"
        : "{id}";
    const { errors } = await api.gql(`{${field}${selection}}`, {}, { as: "auditor" });
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(["BAD_USER_INPUT"]);
  });

  it("of every kind are read from variables as from the document", async () => {
    const { data } = await api.gql(
      "query($seq:Sequence,$f:AuditFilter){auditEntry(seq:$seq){seq recordedAt} auditEntries(filter:$f,first:1){nodes{seq}}}",
      { seq: "1", f: { recordedFrom: "2020-01-01T00:00:00Z", types: ["LEDGER_CREATED"], contains: null } },
      { as: "auditor" },
    );
    expect(data).toEqual({
      auditEntry: { seq: "1", recordedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/) },
      auditEntries: { nodes: [{ seq: "1" }] },
    });
  });
});

describe("a filter", () => {
  it.each(["sessionId", "actionId", "actorId", "onBehalfOfId", "actorEmail", "tool"])(
    "by an empty %s finds nothing, as by any other value that nothing has",
    async (member) => {
      const { data, errors } = await api.gql(
        "query($f:AuditFilter){auditEntries(filter:$f,first:1){nodes{seq}}}",
        { f: { [member]: "" } },
        { as: "auditor" },
      );
      expect(errors).toBeUndefined();
      expect(data).toEqual({ auditEntries: { nodes: [] } });
    },
  );
});

describe("a filter for what there is not", () => {
  const find = (filter: object, as: "auditor" | "outsider" = "auditor") =>
    api.gql<{ auditEntries: { nodes: object[] } }>(
      "query($f:AuditFilter){auditEntries(filter:$f,first:1){nodes{seq}}}",
      { f: filter },
      { as },
    );

  it.each([
    [{ types: ["ACTION_PROPOSED", "ACTION_PROPSED"] }, /has "ACTION_PROPSED", which is no type .* ACTION_PROPOSED, /],
    [{ types: [""] }, /has "", which is no type/],
    [{ platform: "CRM" }, /there is no "CRM", only .*crm, .*reservations/],
    [{ platform: "" }, /there is no "", only/],
  ])("%j is refused, with what there is", async (filter, message) => {
    const { errors } = await find(filter);
    expect(errors).toMatchObject([{ message: expect.stringMatching(message), extensions: { code: "BAD_USER_INPUT" } }]);
  });

  it("is refused by the subscription too", async () => {
    const client = await connect(api.wsUrl, await api.token("auditor"));
    const query = 'subscription{auditEntries(filter:{types:["SOMETHING"]}){cursor}}';
    client.send({ type: "subscribe", id: "1", payload: { query } });
    const refusal = await client.next(({ type }) => type === "next");
    expect(refusal).toMatchObject({ payload: { errors: [{ extensions: { code: "BAD_USER_INPUT" } }] } });
    client.socket.close();
    await client.closed;
  });

  it("is none when a platform is recorded, though the catalog has it no more; for those who may see that", async () => {
    await propose(api, { platform: "mainframe" });
    expect((await find({ platform: "mainframe" })).data.auditEntries.nodes).toHaveLength(1);
    expect((await find({ platform: "mainframe" }, "outsider")).errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
  });
});

describe("verification", () => {
  it("reports what it re-hashed", async () => {
    const query =
      "query($from:Sequence,$to:Sequence){verifyLedger(fromSeq:$from,toSeq:$to){verdict fromSeq toSeq checkedEntries head{seq} problems{detail} durationMs}}";
    type Verified = { verifyLedger: { head: { seq: string } } };
    const { data } = await api.gql<Verified>(query, { from: "2", to: "5" }, { as: "auditor" });
    expect(data.verifyLedger).toMatchObject({
      verdict: "INTACT",
      fromSeq: "2",
      toSeq: "5",
      checkedEntries: "4",
      problems: [],
    });
    const whole = await api.gql<Verified>(query, {}, { as: "approver" });
    expect(whole.data.verifyLedger).toMatchObject({
      verdict: "INTACT",
      fromSeq: "1",
      checkedEntries: whole.data.verifyLedger.head.seq,
    });
  });
});

describe("lineage", () => {
  it("leads from a write to the read before it, and back", async () => {
    const conversationId = "lineage";
    const read = await propose(api, { ...READ, conversationId });
    await act(api, "redeemGrant", { token: read.grant?.token, digest: read.action.digest }, "agent");
    await act(
      api,
      "completeAction",
      { actionId: read.action.id, outcome: "SUCCEEDED", result: { name: "Mia" } },
      "agent",
    );
    const write = await propose(api, { conversationId });
    expect(write.action.sourceChainHash).toBe(read.action.chainHash);

    type Graph = { truncated: boolean; nodes: { chainHash: string; platform: string }[]; edges: object[] };
    const { data } = await api.gql<
      Readonly<Record<"up" | "down" | "near" | "unknown", Graph>> & {
        entry: { sources: { chainHash: string }[]; action: { lineage: object[] } };
        source: { derived: { seq: string }[] };
      }
    >(
      `query($write:UUID!,$read:UUID!,$seq:Sequence!,$source:Sequence!){
        up:lineage(chainHash:$write){truncated nodes{chainHash platform entries{type}} edges{kind sourceChainHash chainHash sourcePlatform platform confidence evidence}}
        down:lineage(chainHash:$read,direction:DOWNSTREAM){nodes{chainHash}}
        near:lineage(chainHash:$write,depth:0){truncated nodes{chainHash}}
        unknown:lineage(chainHash:"00000000-0000-0000-0000-000000000000"){nodes{chainHash} edges{kind}}
        entry:auditEntry(seq:$seq){sources{action{id} chainHash} action{lineage{kind sourcePlatform}}}
        source:auditEntry(seq:$source){derived{seq}}
      }`,
      { write: write.action.chainHash, read: read.action.chainHash, seq: write.entry.seq, source: read.entry.seq },
      { as: "auditor" },
    );
    // The latest first: the same agent read in other conversations before.
    expect(data.up.edges[0]).toEqual({
      kind: "POSSIBLE",
      sourceChainHash: read.action.chainHash,
      chainHash: write.action.chainHash,
      sourcePlatform: "crm",
      platform: "reservations",
      confidence: 0,
      evidence: expect.objectContaining({ basis: "order in time", recordedIn: write.entry.seq, seq: read.entry.seq }),
    });
    expect(data.up.truncated).toBe(false);
    expect(data.up.nodes.slice(0, 2)).toMatchObject([
      { chainHash: write.action.chainHash, platform: "reservations" },
      { chainHash: read.action.chainHash, platform: "crm" },
    ]);
    expect(data.down.nodes.map(({ chainHash }) => chainHash)).toEqual([read.action.chainHash, write.action.chainHash]);
    expect(data.near).toEqual({ truncated: true, nodes: [{ chainHash: write.action.chainHash }] });
    expect(data.unknown).toEqual({ nodes: [], edges: [] });
    expect(data.entry.action.lineage[0]).toEqual({ kind: "POSSIBLE", sourcePlatform: "crm" });
    expect(new Set(data.entry.sources.map(({ chainHash }) => chainHash))).toEqual(new Set([read.action.chainHash]));
    expect(data.source.derived).toContainEqual({ seq: write.entry.seq });
  });
});

describe("sessions", () => {
  it("begin and end as facts", async () => {
    const fields =
      "session{id method startedAt endedAt principal{id} client{name} entries{nodes{type}}} entry{type session{id}} userErrors{code}";
    type Told = { session: { id: string }; entry: { session: { id: string } }; userErrors: object[] };
    const started = await act<Told>(api, "startSession", { conversationId: "c" }, "member", fields);
    expect(started).toMatchObject({
      session: { method: "bearer-token", endedAt: null, principal: { id: "member" } },
      entry: { type: "SESSION_STARTED" },
    });
    expect(started.entry.session.id).toBe(started.session.id);
    const { id } = started.session;
    expect((await act(api, "endSession", { sessionId: id }, "approver", fields)).userErrors).toEqual([
      { code: "NOT_FOUND" },
    ]);
    // Text that names nothing is not the same as nothing.
    expect((await act(api, "endSession", { sessionId: "" }, "member", fields)).userErrors).toEqual([
      { code: "NOT_FOUND" },
    ]);
    expect((await propose(api, { supersedes: "" })).userErrors).toMatchObject([
      { code: "NOT_FOUND", path: ["input", "supersedes"] },
    ]);
    const ended = await act<Told>(api, "endSession", {}, "member", fields);
    expect(ended.session).toMatchObject({
      id,
      endedAt: expect.any(String),
      entries: { nodes: [{ type: "SESSION_STARTED" }, { type: "SESSION_ENDED" }] },
    });
    expect((await act(api, "endSession", { sessionId: id }, "member", fields)).userErrors).toEqual([
      { code: "ALREADY_ENDED" },
    ]);
    const query = "query($id:ID!){session(id:$id){id} node(id:$id){__typename}}";
    expect((await api.gql(query, { id }, { as: "auditor" })).data).toEqual({
      session: { id },
      node: { __typename: "Session" },
    });
    expect((await api.gql(query, { id }, { as: "outsider" })).data).toEqual({ session: null, node: null });
    expect((await api.gql(query, { id }, { as: "agent" })).data).toEqual({ session: null, node: null });
  });
});
