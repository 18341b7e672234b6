import type { JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createReadingLog, type ReadingLog } from "../../src/domain/reading-log/reading-log.ts";
import type { Teams } from "../../src/domain/visibility/visibility.ts";
import { LedgerUnavailableError } from "../../src/ledger/errors.ts";
import { searchEntries } from "../../src/ledger/search.ts";
import { connect, dataOf, type Message } from "../http/client.ts";
import { type Api, startApi } from "../http/harness.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, propose, READ } from "./steps.ts";

let database: TestDatabase;
/** One server without and one with a reading log, on one database. */
let api: Api;
let recording: Api;
let readingLog: ReadingLog;
/** Whether entries about reading can be written. */
let broken = false;
/** Who is in the team `blue`. */
const blue = new Set(["mate"]);
const teams: Teams = {
  membersOf: (organization, team) => (organization === "acme" && team === "blue" ? blue : new Set()),
};

beforeAll(async () => {
  database = await createTestDatabase();
  const withTeams = { heartbeat: 0.2 } as const;
  api = await startApi(database.appUrl, {
    ...withTeams,
    services: (services) => ({ ...services, directory: { ...services.directory, ...teams } }),
  });
  recording = await startApi(database.appUrl, {
    ...withTeams,
    services(services) {
      const { ledgers } = services;
      readingLog = createReadingLog({
        ledgers: {
          ...ledgers,
          append: (ledger, body) =>
            broken ? Promise.reject(new LedgerUnavailableError("away", 1)) : ledgers.append(ledger, body),
        },
        attribute: "none",
        region: "eu",
        log: silent,
        // No minute ends while a test looks.
        now: () => 0,
      });
      return { ...services, readingLog };
    },
  });
});

afterAll(async () => {
  await api?.close();
  await readingLog?.stop();
  await recording?.close();
  await database?.drop();
});

const person = (id: string, more: JWTPayload = {}): JWTPayload => ({
  sub: id,
  org: "acme",
  kind: "HUMAN",
  roles: ["member"],
  groups: [],
  ...more,
});
const agentFor = (id: string): JWTPayload => ({
  ...person(id),
  act: { sub: "shared-agent", roles: ["agent"], groups: [] },
});
const signed = async (claims: JWTPayload, at = api) => ({ token: await at.sign(claims) });

interface Page {
  readonly nodes: readonly { readonly seq: string; readonly type: string }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/** All pages of `auditEntries` with these further arguments. */
async function pages(at: Api, as: { readonly token: string }, size: number, more = ""): Promise<Page[]> {
  const found: Page[] = [];
  for (let after: string | null = null; ; ) {
    const query = `query($after:String){auditEntries(first:${size},after:$after${more}){nodes{seq type} pageInfo{hasNextPage endCursor}}}`;
    const { data, errors }: Awaited<ReturnType<typeof at.gql<{ auditEntries: Page }>>> = await at.gql(
      query,
      { after },
      as,
    );
    if (errors !== undefined) throw new Error(JSON.stringify(errors));
    found.push(data.auditEntries);
    if (!data.auditEntries.pageInfo.hasNextPage) return found;
    after = data.auditEntries.pageInfo.endCursor;
  }
}

const seqs = (found: readonly Page[]) => found.flatMap(({ nodes }) => nodes.map(({ seq }) => seq));

describe("a search of one's own entries", () => {
  it("has full pages in order, however much of others lies between and behind", async () => {
    const mine = await signed(agentFor("mia"));
    const others = await signed(agentFor("noah"));
    const own: string[] = [];
    for (let round = 0; round < 7; round++) {
      await Promise.all(Array.from({ length: 6 }, () => propose(api, READ, others, "action{id}")));
      own.push((await propose(api, READ, mine, "entry{seq}")).entry.seq);
    }
    await Promise.all(Array.from({ length: 9 }, () => propose(api, READ, others, "action{id}")));
    for (const caller of [mine, await signed(person("mia"))]) {
      const forwards = await pages(api, caller, 3);
      expect(forwards.map(({ nodes }) => nodes.length)).toEqual([3, 3, 1]);
      expect(seqs(forwards)).toEqual(own);
      expect(seqs(await pages(api, caller, 3, ",newestFirst:true"))).toEqual(own.toReversed());
      expect(seqs(await pages(api, caller, 2, ',filter:{types:["ACTION_PROPOSED"],platform:"crm"}'))).toEqual(own);
      expect(seqs(await pages(api, caller, 2, ',filter:{text:"crm"}'))).toEqual(own);
      expect(seqs(await pages(api, caller, 2, ',filter:{onBehalfOfId:"noah"}'))).toEqual([]);
      expect(seqs(await pages(api, caller, 2, ',filter:{actorId:"countersign"}'))).toEqual([]);
    }
  });

  it("holds what others did about one's actions, and nothing else of theirs", async () => {
    const caller = await signed(agentFor("lea"));
    const { action } = await propose(api, {}, caller);
    const { id: actionId, digest } = action;
    await act(api, "approveAction", { actionId, digest: `sha256:${"0".repeat(64)}` }, "approver");
    await act(api, "approveAction", { actionId, digest }, "approver");
    await act(api, "startSession", {}, "approver", "session{id}");
    for (const as of [caller, await signed(person("lea"))]) {
      const found = (await pages(api, as, 2)).flatMap(({ nodes }) => nodes.map(({ type }) => type));
      expect(found).toEqual(["ACTION_PROPOSED", "DECISION_REFUSED", "ACTION_APPROVED"]);
      expect(await pages(api, as, 10, `,filter:{actionId:"${actionId}"}`)).toMatchObject([
        { nodes: found.map((type) => ({ type })) },
      ]);
      expect(seqs(await pages(api, as, 10, `,filter:{chainHash:"${action.chainHash}"}`))).toHaveLength(3);
      expect(seqs(await pages(api, as, 10, ',filter:{actorId:"approver"}'))).toHaveLength(2);
    }
    const stranger = await signed(person("stranger"));
    for (const filter of [`{actionId:"${actionId}"}`, `{chainHash:"${action.chainHash}"}`, '{actorId:"approver"}'])
      expect(seqs(await pages(api, stranger, 10, `,filter:${filter}`))).toEqual([]);
  });

  it("of the lead of a team holds its members', for as long as they are in it", async () => {
    const mate = await propose(api, READ, await signed(agentFor("mate")), "action{id chainHash} entry{seq hash}");
    const newcomer = await propose(api, READ, await signed(person("newcomer")), "action{id} entry{seq}");
    const lead = await signed(person("lead", { roles: ["member", "lead:blue"] }));
    expect(seqs(await pages(api, lead, 5))).toEqual([mate.entry.seq]);
    const query =
      "query($seq:Sequence!,$hash:Hash!,$chain:UUID!,$id:ID!){auditEntry(seq:$seq){seq} byHash:auditEntry(hash:$hash){seq} lineage(chainHash:$chain){nodes{entries{seq}}} action(id:$id){id} actions{nodes{id}}}";
    const variables = { ...mate.entry, chain: mate.action.chainHash, id: mate.action.id };
    const { seq } = mate.entry;
    expect((await api.gql(query, variables, lead)).data).toEqual({
      auditEntry: { seq },
      byHash: { seq },
      lineage: { nodes: [{ entries: [{ seq }] }] },
      action: { id: mate.action.id },
      actions: { nodes: [{ id: mate.action.id }] },
    });
    blue.add("newcomer");
    expect(seqs(await pages(api, lead, 1))).toEqual([mate.entry.seq, newcomer.entry.seq]);
    blue.delete("mate");
    expect(seqs(await pages(api, lead, 5))).toEqual([newcomer.entry.seq]);
    expect((await api.gql(query, variables, lead)).data).toEqual({
      auditEntry: null,
      byHash: null,
      lineage: { nodes: [] },
      action: null,
      actions: { nodes: [{ id: newcomer.action.id }] },
    });
    const otherTeam = await signed(person("lead-2", { roles: ["member", "lead:red"] }));
    expect(seqs(await pages(api, otherTeam, 5))).toEqual([]);
  });
});

/** Follows `auditEntries` from the beginning of the ledger, or from now on. */
async function follow(at: Api, token: string, after?: string) {
  const client = await connect(at.wsUrl, token);
  const from = after === undefined ? "" : `(after:"${after}")`;
  client.send({
    type: "subscribe",
    id: "1",
    payload: { query: `subscription{auditEntries${from}{cursor entry{seq type}}}` },
  });
  type Told = { readonly auditEntries: { readonly cursor: string; readonly entry: Page["nodes"][number] | null } };
  const told = () =>
    client.messages.filter(({ type }) => type === "next").map((message) => dataOf<Told>(message).auditEntries);
  return {
    client,
    entries: () => told().flatMap(({ entry }) => entry ?? []),
    heartbeats: () => told().filter(({ entry }) => entry === null).length,
    leave: async () => {
      client.socket.close();
      await client.closed;
    },
  };
}

describe("a subscription to entries", () => {
  it("sends what the caller may see, from before and after it began, and heartbeats", async () => {
    const caller = await signed(agentFor("ida"));
    const others = await signed(agentFor("noah"));
    const first = await propose(api, {}, caller);
    const { token } = await signed(person("ida"));
    const following = await follow(api, token, "0");
    await expect.poll(following.heartbeats).toBeGreaterThan(0);
    expect(following.entries().map(({ seq }) => seq)).toEqual([first.entry.seq]);
    await propose(api, READ, others, "action{id}");
    await act(api, "denyAction", { actionId: first.action.id, digest: first.action.digest, note: "no" }, "approver");
    await propose(api, READ, others, "action{id}");
    const second = await propose(api, READ, caller, "entry{seq}");
    await expect.poll(() => following.entries().at(-1)?.seq).toBe(second.entry.seq);
    expect(following.entries().map(({ type }) => type)).toEqual([
      "ACTION_PROPOSED",
      "ACTION_DENIED",
      "ACTION_PROPOSED",
    ]);
    await following.leave();
  });
});

/** What is recorded of `actorId` having read. */
async function readings(actorId: string) {
  const filter = { actorId, types: ["AUDIT_READ"] };
  const entries = await searchEntries(api.services.pool, "acme/eu", filter, { limit: 100 });
  return entries.map(({ body }) => body.read as { readonly reads: Record<string, number>; readonly entries: number });
}

describe("reading the audit log", () => {
  it("is recorded for every reader and field, and only counted for the rest of the minute", async () => {
    const { entry } = await propose(
      recording,
      READ,
      await signed(agentFor("eva"), recording),
      "entry{id seq} action{id}",
    );
    type Started = { readonly session: { readonly id: string } };
    const { session } = await act<Started>(recording, "startSession", {}, "approver", "session{id}");
    const fields = [
      ["auditEntries", "{auditEntries(first:3){nodes{seq}}}", 3],
      ["auditEntry", `{auditEntry(seq:"${entry.seq}"){seq}}`, 1],
      ["auditEntry", '{auditEntry(seq:"987654321"){seq}}', 0],
      ["node", `{node(id:"${entry.id}"){id}}`, 1],
      ["sessions", "{sessions(first:1){nodes{id}}}", 1],
      ["session", `{session(id:"${session.id}"){address}}`, 1],
      ["node", `{node(id:"${session.id}"){...on Session{address}}}`, 1],
      ["lineage", '{lineage(chainHash:"00000000-0000-4000-8000-000000000000"){nodes{entries{seq}}}}', 0],
    ] as const;
    for (const [at, [field, query, shown]] of fields.entries()) {
      const id = `reader-${at}`;
      const as = await signed(person(id, { roles: ["auditor"] }), recording);
      expect((await recording.gql(query, {}, as)).errors).toBeUndefined();
      expect(await readings(id), query).toMatchObject([{ reads: { [field]: 1 }, entries: shown }]);
      await recording.gql(query, {}, as);
      expect(await readings(id)).toHaveLength(1);
    }
    const agent = await signed(agentFor("eva"), recording);
    await recording.gql("{auditEntries{nodes{seq}}}", {}, agent);
    expect(await readings("shared-agent")).toMatchObject([{ reads: { auditEntries: 1 }, entries: 1 }]);
  });

  it("does not mean reading an action, verifying, or being refused", async () => {
    const as = await signed(person("nobody-read"), recording);
    const { action } = await propose(recording, READ, as, "action{id entries{seq}} entry{seq}");
    const query = `{action(id:"${action.id}"){entries{seq sources{seq}}} actions{nodes{entries{seq}}} node(id:"${action.id}"){id} ledger{head{seq}}}`;
    expect((await recording.gql(query, {}, as)).errors).toBeUndefined();
    await recording.gql("{verifyLedger{verdict}}", {}, as);
    await recording.gql("{auditEntries(first:-1){nodes{seq}}}", {}, as);
    expect(await readings("nobody-read")).toEqual([]);
  });

  it("fails when it cannot be recorded", async () => {
    const as = await signed(person("unrecorded", { roles: ["auditor"] }), recording);
    broken = true;
    const { data, errors } = await recording.gql('{auditEntry(seq:"1"){seq}}', {}, as);
    expect([data, errors]).toMatchObject([{ auditEntry: null }, [{ extensions: { code: "LEDGER_UNAVAILABLE" } }]]);
    const following = await follow(recording, as.token);
    const { payload } = await following.client.next(({ type }: Message) => type === "next" || type === "error");
    expect(JSON.stringify(payload)).toContain("LEDGER_UNAVAILABLE");
    await following.leave();
    broken = false;
    expect((await recording.gql('{auditEntry(seq:"1"){seq}}', {}, as)).data).toEqual({ auditEntry: { seq: "1" } });
    expect(await readings("unrecorded")).toHaveLength(1);
  });

  it("by following is recorded at its start, and two followers do not cause each other's entries for ever", async () => {
    const one = await signed(person("follower-1", { roles: ["auditor"] }), recording);
    const other = await signed(person("follower-2", { roles: ["auditor"] }), recording);
    const first = await follow(recording, one.token);
    // A heartbeat shows that it follows: the other's reading is recorded behind the position it began at.
    await expect.poll(() => first.heartbeats()).toBeGreaterThan(0);
    const second = await follow(recording, other.token);
    for (const id of ["follower-1", "follower-2"]) {
      await expect.poll(() => readings(id)).toMatchObject([{ reads: { "subscription.auditEntries": 1 }, entries: 0 }]);
    }
    // The first one receives the entry of the other's reading.
    await expect.poll(() => first.entries().map(({ type }) => type)).toContain("AUDIT_READ");
    const { entry } = await propose(recording, READ, "agent", "entry{seq}");
    for (const { entries } of [first, second]) await expect.poll(() => entries().at(-1)?.seq).toBe(entry.seq);
    const quiet = [first.heartbeats(), second.heartbeats()];
    await expect.poll(() => first.heartbeats() > (quiet[0] ?? 0) && second.heartbeats() > (quiet[1] ?? 0)).toBe(true);
    expect(first.entries().at(-1)?.seq).toBe(entry.seq);
    expect([...(await readings("follower-1")), ...(await readings("follower-2"))]).toHaveLength(2);
    await first.leave();
    await second.leave();
  });
});
