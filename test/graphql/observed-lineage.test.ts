import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { act, propose, READ, WRITE } from "./steps.ts";

let database: TestDatabase;
let directory: string;
let apis: Api[] = [];

const start = async () => {
  const api = await startApi(database.appUrl, { keyFile: path.join(directory, "keys.json") });
  apis.push(api);
  return api;
};

beforeAll(async () => {
  database = await createTestDatabase();
  directory = await mkdtemp(path.join(tmpdir(), "countersign-keys-"));
});
afterAll(async () => {
  await Promise.all(apis.map((api) => api.close()));
  await database?.drop();
  await rm(directory, { recursive: true });
});

const CONTACTS = [
  { name: "Amelia Ahmed", email: "amelia@example.com", phone: "+49 30 901820" },
  { name: "Bo Nguyen", email: "bo.ng@example.com", phone: "+49 30 555777" },
];
const EDGE = "kind sourceChainHash chainHash sourcePlatform platform confidence evidence";

interface Edge {
  readonly kind: "OBSERVED" | "POSSIBLE";
  readonly sourceChainHash: string;
  readonly confidence: number;
  readonly evidence: { readonly shared?: readonly object[]; readonly [name: string]: unknown };
}

it("follows rows that were written on one platform to the contacts that were read on another, on servers that were started again", async () => {
  const conversationId = randomUUID();
  const first = await start();
  const read = await propose(first, { ...READ, conversationId });
  await act(first, "redeemGrant", { token: read.grant?.token, digest: read.action.digest }, "agent");
  const done = { actionId: read.action.id, outcome: "SUCCEEDED", result: { contacts: CONTACTS } };
  await act(first, "completeAction", done, "agent");
  await first.close();
  apis = [];

  // Another read in between, on a third platform, has nothing to do with it.
  const second = await start();
  const other = await propose(second, { platform: "flights", tool: "list_all_airports", conversationId });
  await act(second, "redeemGrant", { token: other.grant?.token, digest: other.action.digest }, "agent");
  const list = { actionId: other.action.id, outcome: "SUCCEEDED", result: ["Berlin (BER)", "Rome (FCO)"] };
  await act(second, "completeAction", list, "agent");
  const rows = CONTACTS.map(({ name, email }) => [name.toUpperCase(), email]);
  const write = await propose(second, { ...WRITE, arguments: { rows }, conversationId });
  expect(write.action.sourceChainHash).toBe(read.action.chainHash);
  await second.close();
  apis = [];

  const third = await start();
  const { data } = await third.gql<{
    readonly entry: {
      readonly sources: readonly { readonly arguments: object }[];
      readonly action: { readonly lineage: readonly Edge[] };
    };
    readonly graph: { readonly edges: readonly Edge[] };
  }>(
    `query($seq:Sequence!,$chain:UUID!){
      entry:auditEntry(seq:$seq){sources{arguments} action{lineage{${EDGE}}}}
      graph:lineage(chainHash:$chain){edges{${EDGE}}}
    }`,
    { seq: write.entry.seq, chain: write.action.chainHash },
    { as: "auditor" },
  );
  expect(data.entry.sources).toContainEqual({ arguments: { user_id: "mia" } });
  const [observed, ...possible] = data.entry.action.lineage;
  expect(observed).toMatchObject({
    kind: "OBSERVED",
    sourceChainHash: read.action.chainHash,
    chainHash: write.action.chainHash,
    sourcePlatform: "crm",
    platform: "reservations",
    evidence: { basis: "compared content", seq: read.entry.seq, hash: read.entry.hash, values: 4, whole: 4, exact: 2 },
  });
  expect(observed?.confidence).toBeGreaterThan(0.8);
  const shared = observed?.evidence.shared;
  expect(shared).toContainEqual(
    expect.objectContaining({ path: "/rows/1/1", sourcePath: "/contacts/1/email", match: "EXACT" }),
  );
  expect(shared).toContainEqual(
    expect.objectContaining({ path: "/rows/0/0", sourcePath: "/contacts/0/name", match: "NORMALISED" }),
  );
  expect(possible.map(({ kind, sourceChainHash }) => [kind, sourceChainHash])).toEqual([
    ["POSSIBLE", other.action.chainHash],
    ["POSSIBLE", read.action.chainHash],
  ]);
  // A walk shows it as what it is, without what is only for those who read the arguments.
  expect(data.graph.edges).toMatchObject([
    { kind: "OBSERVED", sourceChainHash: read.action.chainHash },
    { kind: "POSSIBLE", sourceChainHash: other.action.chainHash },
  ]);
  expect(data.graph.edges[0]?.evidence).not.toHaveProperty("shared");
  const { data: own } = await third.gql<{ readonly auditEntry: { readonly canonical: string } }>(
    "query($seq:Sequence!){auditEntry(seq:$seq){canonical}}",
    { seq: write.entry.seq },
    { as: "auditor" },
  );
  expect(own.auditEntry.canonical).not.toMatch(/amelia|contacts|rows/i);
});
