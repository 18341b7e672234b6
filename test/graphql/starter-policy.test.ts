import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { loadCatalog } from "../../src/domain/policy/catalog.ts";
import { hashText } from "../../src/facts/hash.ts";
import { type Api, startApi } from "../http/harness.ts";
import { serveApi } from "../http/served-api.ts";
import { fourEyes, putInForce } from "./policy-documents.ts";

const { api, database } = serveApi();

const PROPOSE = `mutation($input: ProposeActionInput!) { proposeAction(input: $input) {
  action { id policy { policyHash version } } userErrors { code } } }`;
const STARTED = `{ auditEntries(first: 50, filter: { types: ["POLICY_STARTED", "ACTION_PROPOSED", "POLICY_PUBLISHED"] }) { nodes { seq type body } } }`;

interface Entry {
  readonly seq: string;
  readonly type: string;
  readonly body: {
    readonly starter?: { readonly hash: string; readonly document: string };
    readonly policy?: { readonly hash: string };
  };
}

async function propose(on: Api) {
  const input = { platform: "crm", tool: "get_user_details", arguments: { n: 1 }, idempotencyKey: randomUUID() };
  const { data } = await on.gql<{ proposeAction: { action: { policy: { policyHash: string; version: number } } } }>(
    PROPOSE,
    { input },
    { as: "agent" },
  );
  return data!.proposeAction.action.policy;
}

async function entries() {
  const { data } = await api.gql<{ auditEntries: { nodes: Entry[] } }>(STARTED, {}, { as: "auditor" });
  return data!.auditEntries.nodes;
}

async function verdict() {
  const { data } = await api.gql<{ verifyLedger: { verdict: string } }>(
    "{ verifyLedger { verdict } }",
    {},
    { as: "auditor" },
  );
  return data?.verifyLedger.verdict;
}

async function otherCatalog() {
  const catalog = await loadCatalog();
  return {
    ...catalog,
    platforms: new Map([...catalog.platforms, ["archive", { name: "archive", region: "eu", tools: new Map() }]]),
  };
}

describe("the policy that servers start with", () => {
  it("is recorded once, before the first proposal that is evaluated by it, however many there are at once", async () => {
    const other = await startApi(database.appUrl);
    try {
      const made = await Promise.all(Array.from({ length: 20 }, (_, n) => propose(n % 2 === 0 ? api : other)));
      const all = await entries();
      const [first, ...rest] = all;
      expect(first).toMatchObject({ type: "POLICY_STARTED" });
      expect(rest.map(({ type }) => type)).toEqual(Array.from({ length: 20 }, () => "ACTION_PROPOSED"));
      const { hash, document } = first!.body.starter!;
      expect(new Set(made.map((policy) => policy.policyHash))).toEqual(new Set([hash]));
      expect(hashText(document)).toBe(hash);
      expect(JSON.parse(document)).toMatchObject({ policy: 1, rules: [{ id: "reads-permitted" }, {}] });
    } finally {
      await other.close();
    }
    expect(await verdict()).toBe("INTACT");
  });

  it("is recorded again by a server with another catalog, once, though both go on", async () => {
    const other = await startApi(database.appUrl, { catalog: await otherCatalog() });
    try {
      for (const server of [other, api, other, api]) await propose(server);
    } finally {
      await other.close();
    }
    const all = await entries();
    const recorded = all.filter(({ type }) => type === "POLICY_STARTED").map(({ body }) => body.starter!.hash);
    expect(recorded).toHaveLength(2);
    const evaluated = all.filter(({ type }) => type === "ACTION_PROPOSED").map(({ body }) => body.policy!.hash);
    expect(new Set(evaluated)).toEqual(new Set(recorded));
    expect(await verdict()).toBe("INTACT");
  });

  it("is what a first version in state SHADOW is evaluated beside, and what that begins with", async () => {
    await putInForce(api, fourEyes(100), true);
    const { data } = await api.gql(
      "{ policy { version state hash } policyVersions(first: 5) { nodes { version state } } }",
      {},
      { as: "auditor" },
    );
    expect(data).toMatchObject({
      policy: { version: 1, state: "ACTIVE" },
      policyVersions: {
        nodes: [
          { version: 2, state: "SHADOW" },
          { version: 1, state: "ACTIVE" },
        ],
      },
    });
    expect(await verdict()).toBe("INTACT");
  });

  it("is not recorded again once another one was published, whatever catalog a server has", async () => {
    await putInForce(api, fourEyes(200));
    const other = await startApi(database.appUrl, { catalog: await otherCatalog() });
    try {
      expect(await propose(other)).toMatchObject({ version: 3 });
    } finally {
      await other.close();
    }
    const all = await entries();
    expect(all.filter(({ type }) => type === "POLICY_STARTED")).toHaveLength(2);
    expect(await verdict()).toBe("INTACT");
  });
});
