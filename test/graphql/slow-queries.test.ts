import { afterAll, describe, expect, it } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { createLedgerSnapshots } from "../../src/ledger/snapshot.ts";
import { createLogger } from "../../src/log.ts";
import { serveApi } from "../http/served-api.ts";
import { fourEyes, putInForce } from "./policy-documents.ts";

const pools: ReturnType<typeof createPool>[] = [];
const { api } = serveApi({
  snapshots: { connections: 1 },
  services(services) {
    const pool = createPool({
      connectionString: String(services.pool.options.connectionString),
      max: 1,
      applicationName: "test-slow",
      log: createLogger("silent"),
    });
    pools.push(pool);
    return { ...services, slowSnapshots: createLedgerSnapshots({ pool, ledgers: services.ledgers }) };
  },
});
afterAll(() => Promise.all(pools.map((pool) => pool.end())));

const document = JSON.stringify(fourEyes(200));
const STEP = 'platform: "crm", tool: "send_certificate", arguments: { amount: 300 }';
const PERIOD = 'from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z"';

/** The connections that are taken while `query` is answered. */
async function takenBy(query: string): Promise<readonly string[]> {
  const taken = new Set<string>();
  const noting = [["ordinary", api.snapshotPool] as const, ...pools.map((pool) => ["slow", pool] as const)];
  const stop = noting.map(([name, pool]) => {
    const note = () => void taken.add(name);
    pool.on("acquire", note);
    return () => void pool.off("acquire", note);
  });
  try {
    const { errors } = await api.gql(query, {}, { as: "admin" });
    expect(errors).toBeUndefined();
  } finally {
    for (const end of stop) end();
  }
  return [...taken].sort();
}

describe("a query that reads much, or waits for a thread, takes none of the connections of others:", () => {
  it.each([
    ["explainPolicy", `explainPolicy(input: { ${STEP} }) { outcome }`],
    ["explainPolicy of a document", `explainPolicy(input: { document: ${document}, ${STEP} }) { outcome }`],
    ["simulatePolicy", `simulatePolicy(document: ${document}) { changed }`],
    ["policy", "policy { version }"],
    ["policyVersions", "policyVersions { nodes { version } }"],
    ["oversight", `oversight(${PERIOD}) { overrides }`],
  ])("%s", async (_, field) => {
    // What is beside it holds its snapshot meanwhile.
    expect(await takenBy(`{ ledger { head { seq } } ${field} }`)).toEqual(["slow"]);
  });

  it("explainPolicy, where the policy in force has windows", async () => {
    const counting = fourEyes(200).replace(
      "cases:",
      `  - { id: often, when: 'count("1h") > 100', forbid: true, reason: Not so often. }\ncases:
  - { name: too often, given: { platform: crm, tool: get_user_details, windows: { 'count("1h")': 100 } }, expect: { outcome: FORBID, rules: [reads, often] } }`,
    );
    await putInForce(api, counting);
    api.queries();
    expect(await takenBy(`{ explainPolicy(input: { ${STEP} }) { outcome } }`)).toEqual(["slow"]);
    // Nor one of those that decisions use.
    expect(api.sent.filter((text) => text.includes("w.seconds"))).toEqual([]);
  });

  it("and one that looks something up does", async () => {
    expect(await takenBy("{ ledger { head { seq } } }")).toEqual(["ordinary"]);
  });
});
