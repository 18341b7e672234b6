import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { appendSteps, chainId, type Step, type StepInput } from "../support/lineage-graph.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";

/** Walks over edges that entries record, over HTTP. */

const LEDGER = "acme/eu";
let database: TestDatabase;
let api: Api;
let owner: Client;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl);
  await api.gql("{ledger{head{seq}}}", {}, { as: "auditor" });
  owner = new Client({ connectionString: database.superuserUrl });
  await owner.connect();
});
afterAll(async () => {
  await owner?.end();
  await api?.close();
  await database?.drop();
});

const step = async (input: StepInput): Promise<Step> => {
  const [found] = await appendSteps(owner, LEDGER, [input]);
  if (found === undefined) throw new Error("nothing was recorded");
  return found;
};

interface Graph {
  readonly nodes: readonly { readonly chainHash: string; readonly platform: string }[];
  readonly edges: readonly { readonly kind: string; readonly sourceChainHash: string; readonly chainHash: string }[];
  readonly truncated: boolean;
}
const GRAPH = "nodes{chainHash platform} edges{kind sourceChainHash chainHash} truncated";

async function walk(field: string, as: "auditor" | "agent" | "outsider" | "member" = "auditor"): Promise<Graph> {
  const { data, errors } = await api.gql<{ readonly graph: Graph }>(`{graph:${field}{${GRAPH}}}`, {}, { as });
  if (errors !== undefined) throw new Error(JSON.stringify(errors) + api.logged.slice(-3).join(" "));
  return data.graph;
}
const names = ({ nodes }: Graph, among: readonly string[]) =>
  nodes.map(({ chainHash }) => among.find((name) => chainId(name) === chainHash) ?? chainHash).sort();
const pairs = ({ edges }: Graph, among: readonly string[]) => {
  const name = (chain: string) => among.find((one) => chainId(one) === chain) ?? chain;
  return edges.map((edge) => `${name(edge.sourceChainHash)}-${name(edge.chainHash)}`).sort();
};

describe("a walk", () => {
  it("goes from a write to everything it rests on, and from a read to everything that drew on it", async () => {
    const web = await step({ chain: "web", platform: "web" });
    const mail = await step({ chain: "mail", platform: "mail" });
    const crmWrite = await step({ chain: "crm", platform: "crm", observed: [web] });
    const crmRead = await step({ chain: "crm", platform: "crm" });
    const sheet = await step({ chain: "sheet", platform: "sheets", observed: [crmRead], possible: [mail] });
    const all = ["web", "mail", "crm", "sheet"];
    const up = await walk(`provenance(seq:"${sheet.seq}")`);
    expect(up.nodes[0]?.chainHash).toBe(chainId("sheet"));
    expect(names(up, all)).toEqual(["crm", "mail", "sheet", "web"]);
    expect(pairs(up, all)).toEqual(["crm-sheet", "mail-sheet", "web-crm"]);
    const down = await walk(`impact(seq:"${web.seq}")`);
    expect(names(down, all)).toEqual(["crm", "sheet", "web"]);
    // What was written first does not rest on what was read later, though they are of one chain.
    expect(pairs(await walk(`provenance(seq:"${crmWrite.seq}")`), all)).toEqual(["web-crm"]);
    expect(pairs(await walk(`impact(seq:"${crmWrite.seq}")`), all)).toEqual(["crm-sheet"]);
    expect(pairs(await walk(`provenance(seq:"${crmRead.seq}")`), all)).toEqual(["web-crm"]);
    const near = await walk(`impact(seq:"${web.seq}",depth:1)`);
    expect([pairs(near, all), near.truncated]).toEqual([["web-crm"], true]);
    const both = await walk(`lineage(chainHash:"${chainId("crm")}",direction:BOTH)`);
    expect([pairs(both, all), both.truncated]).toEqual([["crm-sheet", "web-crm"], false]);
  });

  it("takes a POSSIBLE edge for every earlier read of its chain, and an OBSERVED one for the read it names", async () => {
    const [first, second, third] = await appendSteps(
      owner,
      LEDGER,
      Array.from({ length: 3 }, () => ({ chain: "inbox", platform: "mail" })),
    );
    await step({ chain: "seen", platform: "sheets", observed: [second as Step] });
    await step({ chain: "maybe", platform: "chat", possible: [second as Step] });
    const all = ["inbox", "seen", "maybe"];
    const of = async (read: Step | undefined) => pairs(await walk(`impact(seq:"${read?.seq}")`), all);
    expect(await of(first)).toEqual(["inbox-maybe"]);
    expect(await of(second)).toEqual(["inbox-maybe", "inbox-seen"]);
    expect(await of(third)).toEqual([]);
  });

  it("ends in rings and in chains that name themselves, and shows each edge of a diamond once", async () => {
    const a = await step({ chain: "ring a", platform: "a" });
    const b = await step({ chain: "ring b", platform: "b", possible: [a] });
    const c = await step({ chain: "ring c", platform: "c", possible: [b] });
    await step({ chain: "ring a", platform: "a", possible: [c] });
    await step({ chain: "ring b", platform: "b", possible: [a] });
    await step({ chain: "ring c", platform: "c", possible: [b, c] });
    const ring = ["ring a", "ring b", "ring c"];
    for (const direction of ["UPSTREAM", "DOWNSTREAM", "BOTH"]) {
      const graph = await walk(`lineage(chainHash:"${chainId("ring c")}",direction:${direction},depth:10)`);
      expect([names(graph, ring), graph.truncated], direction).toEqual([ring, false]);
      expect(new Set(pairs(graph, ring)).size, direction).toBe(graph.edges.length);
    }
    const top = await step({ chain: "top", platform: "a" });
    const left = await step({ chain: "left", platform: "b", possible: [top] });
    const right = await step({ chain: "right", platform: "c", possible: [top] });
    const bottom = await step({ chain: "bottom", platform: "d", possible: [left, right] });
    const diamond = ["top", "left", "right", "bottom"];
    expect(pairs(await walk(`provenance(seq:"${bottom.seq}")`), diamond)).toEqual([
      "left-bottom",
      "right-bottom",
      "top-left",
      "top-right",
    ]);
    expect(pairs(await walk(`impact(seq:"${top.seq}")`), diamond)).toHaveLength(4);
  });

  it("is bounded in depth and size, and says so", async () => {
    let last = await step({ chain: "line 0", platform: "p" });
    for (let at = 1; at <= 12; at++) {
      last = await step({ chain: `line ${at}`, platform: `p${at % 2}`, possible: [last] });
    }
    const far = await walk(`provenance(seq:"${last.seq}",depth:2000000000)`);
    expect([far.edges.length, far.truncated]).toEqual([10, true]);
    const { errors } = await api.gql(`{impact(seq:"1",depth:-1){truncated}}`, {}, { as: "auditor" });
    expect(errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");

    const leak = await step({ chain: "leak", platform: "crm" });
    for (let at = 0; at < 10_000; at += 500) {
      await appendSteps(
        owner,
        LEDGER,
        Array.from({ length: 500 }, (_, n) => ({ chain: `wide ${at + n}`, platform: "sheets", observed: [leak] })),
      );
    }
    await owner.query("ANALYZE oc_lineage_edge");
    api.queries();
    const wide = await walk(`impact(seq:"${leak.seq}",depth:10)`);
    expect(api.sent.filter((text) => text.includes("WITH RECURSIVE walk"))).toHaveLength(1);
    expect(api.queries()).toBeLessThan(15);
    expect([wide.nodes.length, wide.edges.length, wide.truncated]).toEqual([200, 199, true]);
  });

  it("shows nothing of what is unknown, another organization's, or not for the caller", async () => {
    const nothing = { nodes: [], edges: [], truncated: false };
    const read = await step({ chain: "hidden read", platform: "crm", agent: "agent", person: "member" });
    const write = await step({ chain: "hidden", platform: "web", observed: [read], agent: "agent", person: "member" });
    const fields = [
      `lineage(chainHash:"${chainId("hidden")}",direction:BOTH)`,
      `provenance(seq:"${write.seq}")`,
      `impact(seq:"${read.seq}")`,
    ];
    for (const field of fields) {
      expect(await walk(field, "outsider"), field).toEqual(nothing);
      expect((await walk(field, "member")).edges, field).toHaveLength(1);
    }
    for (const field of [
      'lineage(chainHash:"00000000-0000-4000-8000-000000000000")',
      'provenance(seq:"99999999")',
      'impact(seq:"9223372036854775807")',
      'impact(seq:"1")',
    ]) {
      expect(await walk(field), field).toEqual(nothing);
    }
    // A write that this person may read, from a read that they may not; and one of somebody else behind it.
    const other = await step({ chain: "of another", platform: "crm", agent: "agent", person: "another" });
    const mixed = await step({ chain: "mixed", platform: "web", observed: [other], agent: "agent", person: "member" });
    expect((await walk(`provenance(seq:"${mixed.seq}")`, "member")).edges).toEqual([]);
    expect((await walk(`provenance(seq:"${mixed.seq}")`)).edges).toHaveLength(1);
    const between = await step({
      chain: "between",
      platform: "web",
      observed: [read],
      agent: "agent",
      person: "another",
    });
    await step({ chain: "after", platform: "crm", observed: [between], agent: "agent", person: "member" });
    const reached = await walk(`impact(seq:"${read.seq}")`, "member");
    expect(names(reached, ["hidden read", "hidden", "between", "after"])).toEqual(["hidden", "hidden read"]);
  });

  it("follows the chain that an entry names as its source and nothing more", async () => {
    await step({ chain: "only chain", platform: "crm" });
    const write = await step({ chain: "from chain", platform: "web", sourceChain: "only chain" });
    const graph = await walk(`provenance(seq:"${write.seq}")`);
    expect(graph.nodes).toEqual([
      { chainHash: chainId("from chain"), platform: "web" },
      { chainHash: chainId("only chain"), platform: "crm" },
    ]);
  });
});

describe("sources of edges", () => {
  it("are the reads that an edge rests on, loaded together", async () => {
    const reads = await appendSteps(
      owner,
      LEDGER,
      Array.from({ length: 4 }, (_, n) => ({ chain: `source ${n % 2}`, platform: "crm" })),
    );
    const [first, second, third, fourth] = reads as [Step, Step, Step, Step];
    const write = await step({ chain: "drawing", platform: "web", observed: [first], possible: [third, fourth] });
    const query = `query($seq:Sequence!){auditEntry(seq:$seq){action{lineage{kind sourceEntries{seq}}}}
      provenance(seq:$seq){edges{kind sourceEntries{seq}}}}`;
    type Edges = readonly { readonly kind: string; readonly sourceEntries: readonly { readonly seq: string }[] }[];
    const { data } = await api.gql<{
      readonly auditEntry: { readonly action: { readonly lineage: Edges } };
      readonly provenance: { readonly edges: Edges };
    }>(query, { seq: write.seq }, { as: "auditor" });
    expect(data.auditEntry.action.lineage).toEqual([
      { kind: "OBSERVED", sourceEntries: [{ seq: first.seq }] },
      { kind: "POSSIBLE", sourceEntries: [{ seq: first.seq }, { seq: third.seq }] },
      { kind: "POSSIBLE", sourceEntries: [{ seq: second.seq }, { seq: fourth.seq }] },
    ]);
    expect(data.provenance.edges).toHaveLength(2);
    const wide = await appendSteps(
      owner,
      LEDGER,
      Array.from({ length: 40 }, (_, n) => ({ chain: `many ${n}`, platform: "mail" })),
    );
    const few = await step({ chain: "few", platform: "web", possible: wide.slice(0, 2) });
    const many = await step({ chain: "many", platform: "web", possible: wide });
    const count = async (seq: string) => {
      await api.gql(query, { seq }, { as: "auditor" });
      return api.queries();
    };
    await count(few.seq);
    expect(await count(many.seq)).toBe(await count(few.seq));
  });
});

describe("rows of edges that a superuser changed", () => {
  const forge = (sql: string) =>
    owner.query(`BEGIN; SET LOCAL countersign.migration = 'on'; ALTER TABLE oc_lineage_edge DISABLE TRIGGER USER; ${sql};
                 SELECT oc_always('oc_lineage_edge'); COMMIT`);

  it("are not believed: a walk over them, and a list of them, fail", async () => {
    const read = await step({ chain: "forged source", platform: "crm" });
    const write = await step({ chain: "forged", platform: "web", observed: [read] });
    const fields = [
      `lineage(chainHash:"${chainId("forged")}")`,
      `provenance(seq:"${write.seq}")`,
      `impact(seq:"${read.seq}")`,
      `lineageEdges(filter:{chainHash:"${chainId("forged")}"})`,
    ];
    const codes = async () => {
      const all = await Promise.all(fields.map((field) => api.gql(`{${field}{__typename}}`, {}, { as: "auditor" })));
      return all.map(({ errors }) => errors?.[0]?.extensions.code ?? "none");
    };
    expect(await codes()).toEqual(fields.map(() => "none"));
    const at = `ledger = '${LEDGER}' AND seq = ${write.seq}`;
    await forge(`UPDATE oc_lineage_edge SET source_platform = 'elsewhere' WHERE ${at}`);
    expect(await codes()).toEqual(fields.map(() => "LEDGER_CORRUPT"));
    await forge(`UPDATE oc_lineage_edge SET source_platform = 'crm' WHERE ${at}`);
    // One that no entry records, of an entry that there is.
    await forge(`INSERT INTO oc_lineage_edge SELECT ledger, seq, 9::smallint, kind, chain, platform, region, '${chainId("leak")}', 'crm', 'eu',
        ledger, ${read.seq}, 5, 99, NULL, recorded_at, action FROM oc_lineage_edge WHERE ${at}`);
    const [up, provenance, , list] = await codes();
    expect([up, provenance, list]).toEqual(["LEDGER_CORRUPT", "LEDGER_CORRUPT", "LEDGER_CORRUPT"]);
  });
});
