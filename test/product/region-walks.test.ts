import { afterAll, beforeAll, expect, it } from "vitest";
import { type Proxy as DatabaseProxy, startProxy } from "../support/proxy.ts";
import { withClient } from "../support/server.ts";
import { startTwoRegions, type TwoRegions } from "../support/two-regions.ts";

/** Walks across regions, for those who may read both, and for those who may not. */
let regions: TwoRegions;
let proxy: DatabaseProxy;
let read: Entry;
let write: Entry;

interface Entry {
  readonly seq: string;
  readonly chainHash: string;
}

beforeAll(async () => {
  regions = await startTwoRegions({}, async (url) => {
    proxy = await startProxy(url);
    return proxy.url;
  });
  await regions.propose("eu", { platform: "crm", tool: "get_contact" });
  await regions.propose("us", { platform: "sheets", tool: "append_row" });
  read = await latest("eu");
  write = await latest("us");
});

afterAll(async () => {
  await regions?.close();
  await proxy?.close();
});

async function ask<Data>(query: string, roles: readonly string[] = ["auditor"]): Promise<Data> {
  const { data, errors } = await regions.app.post<Data>(query, {}, await regions.token("auditor", roles));
  if (data === undefined || data === null || errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

async function latest(region: string): Promise<Entry> {
  const query = `{ auditEntries(region: "${region}", first: 1, newestFirst: true, filter: { types: ["ACTION_PROPOSED"] }) {
    nodes { seq chainHash } } }`;
  const { auditEntries } = await ask<{ readonly auditEntries: { readonly nodes: readonly Entry[] } }>(query);
  const [entry] = auditEntries.nodes;
  if (entry === undefined) throw new Error("nothing was proposed");
  return entry;
}

interface Edge {
  readonly kind: string;
  readonly sourceRegion: string;
  readonly region: string;
  readonly sourceEntries: readonly Entry[];
}
interface Graph {
  readonly nodes: readonly {
    readonly chainHash: string;
    readonly ledger: string;
    readonly entries: readonly { readonly platform: string }[];
  }[];
  readonly edges: readonly Edge[];
  readonly otherRegions: readonly string[];
  readonly unreadRegions: readonly string[];
}
const EDGE = "kind sourceRegion region sourceEntries { seq chainHash }";
const GRAPH = `{ nodes { chainHash ledger entries { platform } } edges { ${EDGE} } otherRegions unreadRegions }`;
const up = () => `{ graph: provenance(region: "us", seq: "${write.seq}") ${GRAPH} }`;
const down = () => `{ graph: impact(region: "eu", seq: "${read.seq}") ${GRAPH} }`;
const walk = async (query: string, roles?: readonly string[]) =>
  (await ask<{ readonly graph: Graph }>(query, roles)).graph;
const ledgersOf = ({ nodes }: Graph) => nodes.map(({ ledger }) => ledger);

it("goes from a write in one region to the read in another, and back", async () => {
  const edge = {
    kind: "POSSIBLE",
    sourceRegion: "eu",
    region: "us",
    sourceEntries: [{ seq: read.seq, chainHash: read.chainHash }],
  };
  const [rests, reached] = [await walk(up()), await walk(down())];
  expect(rests).toMatchObject({ edges: [edge], otherRegions: [], unreadRegions: [] });
  expect(ledgersOf(rests)).toEqual(["acme/us", "acme/eu"]);
  expect(rests.nodes.map(({ entries }) => entries[0]?.platform)).toEqual(["sheets", "crm"]);
  expect(reached).toMatchObject({ edges: [edge], otherRegions: [], unreadRegions: [] });
  expect(ledgersOf(reached)).toEqual(["acme/eu", "acme/us"]);
  const list = `{ lineageEdges(filter: { sourceRegion: "eu", region: "us" }) { nodes { ${EDGE} } asOf { region } } }`;
  expect(await ask(list)).toEqual({
    lineageEdges: { nodes: [edge], asOf: [{ region: "eu" }, { region: "us" }] },
  });
});

it("names no more than the region of what a caller may not read, and shows nothing of it", async () => {
  const ofUs = ["auditor", "region:us"];
  const graph = await walk(up(), ofUs);
  expect(graph).toMatchObject({ edges: [], otherRegions: ["eu"], unreadRegions: [] });
  expect(ledgersOf(graph)).toEqual(["acme/us"]);
  expect(JSON.stringify(graph)).not.toContain(read.chainHash);
  const ofEu = await walk(down(), ["auditor", "region:eu"]);
  expect(ofEu).toMatchObject({ edges: [], otherRegions: [], unreadRegions: [] });
  await expect(ask(down(), ofUs)).rejects.toThrow(/region/i);
  // The entry of the write says where it may be from; the read itself is not shown.
  const list = `{ lineageEdges { nodes { sourceEntries { seq chainHash } } asOf { region } } }`;
  expect(await ask(list, ofUs)).toEqual({
    lineageEdges: { nodes: [{ sourceEntries: [] }], asOf: [{ region: "us" }] },
  });
});

it("opens the regions in one order wherever it starts, so that no two walks wait for each other", async () => {
  await withClient(regions.us.superuserUrl, async (client) => {
    await client.query("BEGIN; LOCK TABLE oc_ledger_head");
    const graph = walk(up());
    try {
      // The snapshot of the first region is held while that of the second, where the walk starts, cannot be opened.
      const held = `SELECT count(*)::integer AS count FROM pg_stat_activity
                     WHERE datname = $1 AND state = 'idle in transaction' AND query LIKE '%oc_ledger_head%'`;
      const heldInEu = async () => {
        // What a transaction sees of others stays as it was when it first looked.
        await client.query("SELECT pg_stat_clear_snapshot()");
        const { rows } = await client.query<{ count: number }>(held, [regions.eu.name]);
        return rows[0]?.count;
      };
      await expect.poll(heldInEu, { timeout: 4_000 }).toBeGreaterThan(0);
    } finally {
      await client.query("ROLLBACK");
    }
    expect(ledgersOf(await graph)).toEqual(["acme/us", "acme/eu"]);
  });
});

it("names a region that is down, and goes on without it", async () => {
  await proxy.close();
  const graph = await walk(down());
  expect(graph).toMatchObject({ edges: [], unreadRegions: ["us"] });
  expect(ledgersOf(graph)).toEqual(["acme/eu"]);
  await expect(ask(up())).rejects.toThrow(/LEDGER_UNAVAILABLE/);
});
