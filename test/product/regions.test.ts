import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { countersign } from "../cli/run.ts";
import { type App, forget, startApp } from "../support/app.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { makeDataDir } from "../support/server.ts";
import { textsOf } from "../support/texts-of-tables.ts";

/** Platforms of three regions. The server has databases for two. */
const CATALOG = {
  platforms: { crm: { region: "eu" }, sheets: { region: "us" }, kiosk: { region: "ap" } },
  tools: {
    get_contact: { platform: "crm", effect: "READ", personalData: true },
    update_contact: { platform: "crm", effect: "WRITE" },
    append_row: { platform: "sheets", effect: "WRITE" },
    read_row: { platform: "sheets", effect: "READ" },
    print: { platform: "kiosk", effect: "WRITE" },
  },
};

let eu: TestDatabase;
let us: TestDatabase;
let app: App;

beforeAll(async () => {
  [eu, us] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  const dataDir = await makeDataDir();
  const catalog = path.join(dataDir, "catalog.json");
  await writeFile(catalog, JSON.stringify(CATALOG));
  const environment = {
    CATALOG: catalog,
    REGIONS: `us=${us.appUrl}`,
    REGION_ADDRESSES: "ap=https://ap.countersign.example",
  };
  app = await startApp({ databaseUrl: eu.appUrl, dataDir, environment });
});

afterAll(async () => {
  await app.stop();
  await forget(app);
  await Promise.all([eu.drop(), us.drop()]);
});

interface Proposed {
  readonly action: { readonly id: string; readonly digest: string; readonly status: string } | null;
  readonly grant: { readonly token: string } | null;
  readonly userErrors: readonly { readonly code: string; readonly message: string }[];
}

const PROPOSE = `mutation ($input: ProposeActionInput!) { proposeAction(input: $input) {
  action { id digest status } grant { token } userErrors { code message } } }`;

async function propose(platform: string, tool: string, values: object = {}): Promise<Proposed> {
  const input = { idempotencyKey: randomUUID(), platform, tool, arguments: values, repeat: true };
  return (await app.ask<{ proposeAction: Proposed }>(PROPOSE, { input }, "agent")).proposeAction;
}

const LEDGER = `query ($region: String) { ledger(region: $region) { id region head { seq } }
  auditEntries(region: $region, first: 100) { nodes { type ledger: id body } asOf { ledger region seq } } }`;

interface Ledger {
  readonly ledger: { readonly id: string; readonly region: string; readonly head: { readonly seq: string } };
  readonly auditEntries: {
    readonly nodes: readonly { readonly type: string; readonly body: Record<string, unknown> }[];
    readonly asOf: readonly { readonly ledger: string; readonly region: string; readonly seq: string }[];
  };
}

const ledgerIn = (region: string) => app.ask<Ledger>(LEDGER, { region }, "auditor");

describe("a server of two regions", () => {
  it("records an action where its platform keeps its data, from proposal to outcome", async () => {
    const { action } = await propose("sheets", "append_row", { text: "FOR-US-ONLY" });
    expect(action).toMatchObject({ status: "PENDING" });
    const { approveAction } = await app.ask<{ approveAction: { action: { status: string }; userErrors: unknown[] } }>(
      `mutation ($input: ApproveActionInput!) { approveAction(input: $input) { action { status } entry { seq } userErrors { code message } } }`,
      { input: { actionId: action?.id, digest: action?.digest } },
      "approver",
    );
    expect(approveAction).toMatchObject({ action: { status: "APPROVED" }, userErrors: [] });
    const { claimGrant } = await app.ask<{ claimGrant: { grant: { token: string } } }>(
      `mutation ($input: ClaimGrantInput!) { claimGrant(input: $input) { grant { token } userErrors { code } } }`,
      { input: { actionId: action?.id } },
      "agent",
    );
    const { redeemGrant } = await app.ask<{ redeemGrant: object }>(
      `mutation ($input: RedeemGrantInput!) { redeemGrant(input: $input) { action { status } userErrors { code } } }`,
      { input: { token: claimGrant.grant.token, digest: action?.digest } },
      "agent",
    );
    expect(redeemGrant).toMatchObject({ action: { status: "EXECUTING" }, userErrors: [] });
    const { completeAction } = await app.ask<{ completeAction: object }>(
      `mutation ($input: CompleteActionInput!) { completeAction(input: $input) { action { status entries { type } } userErrors { code } } }`,
      { input: { actionId: action?.id, outcome: "SUCCEEDED", result: { ok: "RESULT-FOR-US-ONLY" } } },
      "agent",
    );
    expect(completeAction).toMatchObject({ action: { status: "SUCCEEDED" }, userErrors: [] });
    const { ledger, auditEntries } = await ledgerIn("us");
    expect(ledger).toMatchObject({ id: "acme/us", region: "us" });
    expect(auditEntries.asOf).toMatchObject([{ ledger: "acme/us", region: "us" }]);
    expect(auditEntries.nodes.map(({ type }) => type)).toEqual(
      expect.arrayContaining([
        "LEDGER_CREATED",
        "POLICY_ADOPTED",
        "ACTION_PROPOSED",
        "ACTION_APPROVED",
        "GRANT_ISSUED",
        "GRANT_REDEEMED",
        "ACTION_COMPLETED",
      ]),
    );
    const [usTexts, euTexts] = await Promise.all([textsOf(us), textsOf(eu)]);
    expect(usTexts).toContain("RESULT-FOR-US-ONLY");
    expect(euTexts).not.toContain("FOR-US-ONLY");
  });

  it("has the policy that a region works under in its ledger, by hash and signed, before the first proposal", async () => {
    await propose("sheets", "read_row");
    const { auditEntries } = await ledgerIn("us");
    const adopted = auditEntries.nodes.findIndex(({ type }) => type === "POLICY_ADOPTED");
    const proposed = auditEntries.nodes.findIndex(({ type }) => type === "ACTION_PROPOSED");
    expect(adopted).toBeGreaterThan(0);
    expect(adopted).toBeLessThan(proposed);
    const { policy, home } = (auditEntries.nodes[adopted]?.body ?? {}) as {
      readonly policy: { readonly hash: string };
      readonly home: { readonly ledger: string; readonly seq: string; readonly hash: string };
    };
    expect(auditEntries.nodes[proposed]?.body.policy).toMatchObject({ hash: policy.hash });
    const { auditEntry } = await app.ask<{ auditEntry: { hash: string; type: string } }>(
      `query ($seq: Sequence!) { auditEntry(seq: $seq) { hash type } }`,
      { seq: home.seq },
      "auditor",
    );
    expect(auditEntry).toEqual({ hash: `sha256:${home.hash}`, type: "POLICY_STARTED" });
    expect(auditEntries.nodes.filter(({ type }) => type === "POLICY_ADOPTED")).toHaveLength(1);
  });

  it("records what belongs to the home region there alone", async () => {
    const { grant } = await propose("crm", "get_contact", { text: "FOR-EU-ONLY" });
    expect(grant).not.toBeNull();
    const [usTexts, euTexts] = await Promise.all([textsOf(us), textsOf(eu)]);
    expect(euTexts).toContain("FOR-EU-ONLY");
    expect(usTexts).not.toContain("FOR-EU-ONLY");
  });

  it("refuses what belongs to a region that it does not serve, with the address that does, and keeps nothing of it", async () => {
    const { action, userErrors } = await propose("kiosk", "print", { text: "FOR-AP-ONLY" });
    expect(action).toBeNull();
    expect(userErrors).toMatchObject([{ code: "REGION_ELSEWHERE" }]);
    expect(userErrors[0]?.message).toContain("https://ap.countersign.example");
    const { proposeActions } = await app.ask<{ proposeActions: { results: Proposed[] } }>(
      `mutation ($input: ProposeActionsInput!) { proposeActions(input: $input) { results { action { status } userErrors { code path } } } }`,
      {
        input: {
          actions: [
            ["crm", "get_contact"],
            ["kiosk", "print"],
            ["sheets", "read_row"],
          ].map(([platform, tool]) => ({
            idempotencyKey: randomUUID(),
            platform,
            tool,
            arguments: { text: "FOR-AP-ONLY".slice(0, platform === "kiosk" ? 11 : 3) },
          })),
        },
      },
      "agent",
    );
    expect(proposeActions.results).toMatchObject([
      { action: { status: "ALLOWED" }, userErrors: [] },
      { action: null, userErrors: [{ code: "REGION_ELSEWHERE", path: ["input", "actions", "1", "platform"] }] },
      { action: { status: "ALLOWED" }, userErrors: [] },
    ]);
    const { errors } = await app.gql(LEDGER, { region: "ap" }, "auditor");
    expect(errors).toMatchObject([{ extensions: { code: "REGION_ELSEWHERE" } }, {}].slice(0, errors?.length));
    const foreign = Buffer.from(`Action:acme/ap:${randomUUID()}`).toString("base64url");
    const asked = await app.gql(`query ($id: ID!) { action(id: $id) { status } }`, { id: foreign }, "auditor");
    expect(asked.errors?.[0]).toMatchObject({ extensions: { code: "REGION_ELSEWHERE" } });
    const texts = await Promise.all([textsOf(us), textsOf(eu)]);
    expect(texts.join("\n")).not.toContain("FOR-AP-ONLY");
    expect(app.lines.join("\n")).not.toContain("FOR-AP-ONLY");
  });

  it("decides actions of both regions in one call", async () => {
    const [first, second] = [await propose("crm", "update_contact"), await propose("sheets", "append_row")];
    const decisions = [first, second].map(({ action }) => ({
      actionId: action?.id,
      digest: action?.digest,
      verdict: "APPROVE",
    }));
    const { decideActions } = await app.ask<{ decideActions: { results: object[] } }>(
      `mutation ($input: DecideActionsInput!) { decideActions(input: $input) { results { action { status } userErrors { code } } } }`,
      { input: { decisions } },
      "approver",
    );
    expect(decideActions.results).toEqual([
      { action: { status: "APPROVED" }, userErrors: [] },
      { action: { status: "APPROVED" }, userErrors: [] },
    ]);
  });

  it("merges lists of those who may see both, page by page, and says where each was read", async () => {
    interface Page {
      readonly nodes: readonly { readonly id: string; readonly platform: string }[];
      readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
      readonly asOf: readonly { readonly region: string }[];
      readonly unreadRegions: readonly string[];
    }
    const list = `query ($region: String, $first: Int, $after: String) { actions(region: $region, first: $first, after: $after) {
      nodes { id platform proposedAt policy { version } entries { type } } pageInfo { hasNextPage endCursor } asOf { region } unreadRegions } }`;
    const page = async (variables: object) => (await app.ask<{ actions: Page }>(list, variables, "auditor")).actions;
    const whole = await page({ first: 100 });
    expect(whole.asOf).toEqual([{ region: "eu" }, { region: "us" }]);
    expect(whole.unreadRegions).toEqual([]);
    const times = whole.nodes.map((node) => (node as unknown as { proposedAt: string }).proposedAt);
    expect(times).toEqual(times.toSorted().reverse());
    expect(new Set(whole.nodes.map(({ platform }) => platform))).toEqual(new Set(["crm", "sheets"]));
    const found: string[] = [];
    for (let after: string | null = null, more = true; more; ) {
      const { nodes, pageInfo } = await page({ first: 2, after });
      found.push(...nodes.map(({ id }) => id));
      [after, more] = [pageInfo.endCursor, pageInfo.hasNextPage];
    }
    expect(found).toEqual(whole.nodes.map(({ id }) => id));
    const us = await page({ region: "us", first: 100 });
    expect(us.nodes.map(({ platform }) => platform)).toEqual(us.nodes.map(() => "sheets"));
    expect(us.asOf).toEqual([{ region: "us" }]);
  });

  it("merges the audit log, and records in each region what was read there", async () => {
    const read = `{ auditEntries(newestFirst: true, first: 100, filter: { types: ["ACTION_PROPOSED"] }) {
      nodes { platform recordedAt } asOf { region } } }`;
    const { auditEntries } = await app.ask<{
      auditEntries: { nodes: { platform: string; recordedAt: string }[]; asOf: object[] };
    }>(read, {}, "auditor");
    expect(auditEntries.asOf).toEqual([{ region: "eu" }, { region: "us" }]);
    const times = auditEntries.nodes.map(({ recordedAt }) => recordedAt);
    expect(times).toEqual(times.toSorted().reverse());
    expect(new Set(auditEntries.nodes.map(({ platform }) => platform))).toEqual(new Set(["crm", "sheets"]));
    for (const region of ["eu", "us"]) {
      const types = (await ledgerIn(region)).auditEntries.nodes.map(({ type }) => type);
      expect(types, region).toContain("AUDIT_READ");
    }
    const { pendingApprovals } = await app.ask<{ pendingApprovals: { asOf: object[] } }>(
      `{ pendingApprovals(onlyDecidable: true, first: 3) { nodes { viewerCanDecide } asOf { region } } }`,
      {},
      "approver",
    );
    expect(pendingApprovals.asOf).toEqual([{ region: "eu" }, { region: "us" }]);
  });

  it("resolves every field of an action in its region", async () => {
    interface Type {
      readonly kind: string;
      readonly name: string | null;
      readonly ofType?: Type;
    }
    interface Field {
      readonly name: string;
      readonly args: readonly { readonly type: Type; readonly defaultValue: string | null }[];
      readonly type: Type;
    }
    const typeOf = "kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";
    const asked = `{ __schema { types { name fields { name args { defaultValue type { kind } } type { ${typeOf} } } } } }`;
    const { __schema: schema } = await app.ask<{
      __schema: { types: { name: string; fields: Field[] | null }[] };
    }>(asked, {}, "auditor");
    const fieldsOf = new Map(schema.types.map(({ name, fields }) => [name, fields ?? []]));
    const named = (type: Type): Type => (type.ofType === undefined || type.ofType === null ? type : named(type.ofType));
    const selection = (name: string, depth: number): string =>
      (fieldsOf.get(name) ?? [])
        .filter(({ args }) => args.every(({ type }) => type.kind !== "NON_NULL"))
        .flatMap(({ name: field, type }) => {
          const of = named(type);
          if (of.kind === "SCALAR" || of.kind === "ENUM") return [field];
          return depth === 0 || of.kind !== "OBJECT"
            ? []
            : [`${field} { __typename ${selection(of.name ?? "", depth - 1)} }`];
        })
        .join(" ");
    const ids = [];
    for (const [platform, tool] of [
      ["crm", "update_contact"],
      ["sheets", "append_row"],
    ] as const) {
      const { action } = await propose(platform, tool, { text: `for ${platform}` });
      await app.ask(
        `mutation ($input: ApproveActionInput!) { approveAction(input: $input) { action { status } userErrors { code } } }`,
        { input: { actionId: action?.id, digest: action?.digest } },
        "approver",
      );
      ids.push(action?.id);
      const { data, errors } = await app.gql<{ action: Record<string, unknown> }>(
        `query ($id: ID!) { action(id: $id) { ${selection("Action", 1)} } }`,
        { id: action?.id },
        "auditor",
      );
      expect(errors).toBeUndefined();
      expect(data?.action).toMatchObject({
        id: action?.id,
        platform,
        arguments: { text: `for ${platform}` },
        entries: [{ type: "ACTION_PROPOSED" }, { type: "ACTION_APPROVED" }],
        decisions: [{ verdict: "APPROVE" }],
      });
    }
    const { a, b } = await app.ask<{ a: object; b: object }>(
      `query ($a: ID!, $b: ID!) { a: node(id: $a) { id ... on Action { entries { seq type } } } b: node(id: $b) { id ... on Action { entries { seq type } } } }`,
      { a: ids[0], b: ids[1] },
      "auditor",
    );
    expect([a, b]).toMatchObject(
      ids.map((id) => ({ id, entries: [{ type: "ACTION_PROPOSED" }, { type: "ACTION_APPROVED" }] })),
    );
  });

  it("counts oversight in one region", async () => {
    const [from, to] = [-1, 1].map((days) => new Date(Date.now() + days * 86_400_000).toISOString());
    const { oversight } = await app.ask<{ oversight: { asOf: object[] } }>(
      `query ($from: DateTime!, $to: DateTime!) { oversight(region: "us", from: $from, to: $to) { proposals asOf { region } } }`,
      { from, to },
      "auditor",
    );
    expect(oversight.asOf).toEqual([{ region: "us" }]);
  });

  it("follows a region, and an action of one", async () => {
    const { action } = await propose("sheets", "append_row");
    const events = await app.ask<{ ledger: { head: { seq: string } } }>(
      `query ($region: String) { ledger(region: $region) { head { seq } } }`,
      { region: "us" },
      "auditor",
    );
    const first = async (query: string, variables: object) => {
      const response = await fetch(app.url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "text/event-stream",
          authorization: `Bearer ${await app.token("approver")}`,
        },
        body: JSON.stringify({ query, variables }),
      });
      let text = "";
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk as Uint8Array, { stream: true });
        const data = /^data: (.+)$/m.exec(text)?.[1];
        if (data !== undefined) return JSON.parse(data) as { data: object };
      }
      throw new Error(`no event: ${text}`);
    };
    const after = String(BigInt(events.ledger.head.seq) - 1n);
    const pending = `subscription ($after: Sequence) { pendingApprovals(region: "us", after: $after) { change action { id platform } } }`;
    expect(await first(pending, { after })).toMatchObject({
      data: { pendingApprovals: { change: "ADDED", action: { id: action?.id, platform: "sheets" } } },
    });
    const changed = `subscription ($id: ID!, $after: Sequence) { actionChanged(id: $id, after: $after) { id status } }`;
    expect(await first(changed, { id: action?.id, after })).toMatchObject({
      data: { actionChanged: { id: action?.id, status: "PENDING" } },
    });
  });

  it("redeems no grant that names a region there is not, and records the attempt", async () => {
    const claims = { action: randomUUID(), region: "nowhere" };
    const token = `${btoa("{}")}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.AAAA`;
    const { redeemGrant } = await app.ask<{ redeemGrant: object }>(
      `mutation ($input: RedeemGrantInput!) { redeemGrant(input: $input) { userErrors { code } } }`,
      { input: { token, digest: `sha256:${"0".repeat(64)}` } },
      "agent",
    );
    expect(redeemGrant).toEqual({ userErrors: [{ code: "GRANT_INVALID" }] });
    expect((await ledgerIn("eu")).auditEntries.nodes.map(({ type }) => type)).toContain("GRANT_REFUSED");
  });

  it("has an action approved by who is in the region that the policy asks for", async () => {
    const document = `policy: 1
catalog:
  platforms: { crm: { region: eu }, sheets: { region: us }, kiosk: { region: ap } }
  tools: [{ platform: sheets, name: append_row, effect: WRITE }]
rules:
  - { id: there, when: tool.effect == "WRITE", require: [{ group: approvers, needed: 1, approver: { regions: [us] } }], reason: By who is there. }
cases:
  - name: a write
    given: { platform: sheets, tool: append_row }
    expect: { outcome: REQUIRE, rules: [there] }
`;
    const approve = `mutation ($input: ApproveActionInput!) { approveAction(input: $input) { action { status } userErrors { code message } } }`;
    const { publishPolicy } = await app.ask<{ publishPolicy: { action: { id: string; digest: string } } }>(
      `mutation ($input: PublishPolicyInput!) { publishPolicy(input: $input) { action { id digest } userErrors { message } } }`,
      { input: { document, note: "Approved where it is." } },
      "admin",
    );
    const published = { actionId: publishPolicy.action.id, digest: publishPolicy.action.digest };
    expect(await app.ask(approve, { input: published }, "admin2")).toMatchObject({
      approveAction: { action: { status: "SUCCEEDED" } },
    });
    const { action } = await propose("sheets", "append_row");
    const input = { actionId: action?.id, digest: action?.digest };
    const by = async (region: string) => {
      const { stdout } = await countersign(["token", "--as", "approver", "--region", region], {
        DATA_DIR: app.dataDir,
      });
      return (await app.post<{ approveAction: object }>(approve, { input }, stdout.trim())).data?.approveAction;
    };
    expect(await by("eu")).toMatchObject({ userErrors: [{ code: "NOT_ELIGIBLE" }] });
    expect(await by("us")).toMatchObject({ action: { status: "APPROVED" }, userErrors: [] });
  });

  it("verifies the ledger of each region", async () => {
    for (const region of ["eu", "us"]) {
      const { verifyLedger } = await app.ask<{ verifyLedger: object }>(
        `query ($region: String) { verifyLedger(region: $region) { verdict problems { verdict seq detail } } }`,
        { region },
        "auditor",
      );
      expect(verifyLedger, region).toEqual({ verdict: "INTACT", problems: [] });
    }
  });

  it("is verified, exported and migrated from the command line, region by region", async () => {
    const DATABASE_URL = eu.appUrl;
    const environment = { DATABASE_URL, REGIONS: `us=${us.appUrl}`, DATA_DIR: app.dataDir };
    const direct = await countersign(["verify", "--database-url", "--ledger", "acme/us"], environment);
    expect(direct).toMatchObject({ code: 0, stdout: expect.stringContaining("INTACT  acme/us") });
    const both = await countersign(["verify", "--database-url", "--region", "us"], environment);
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining("pass --ledger, such as acme/us") });
    const verified = await countersign(["verify", "--url", app.url, "--region", "us"], environment);
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining("INTACT") });
    const exported = await countersign(["export", "--url", app.url, "--region", "us", "--to", "1"], environment);
    expect(JSON.parse(exported.stdout)).toMatchObject({ ledger: "acme/us", seq: "1" });
    const backup = await countersign(["backup", path.join(app.dataDir, "backup-us"), "--region", "us"], environment);
    expect(backup).toMatchObject({ code: 0, stdout: expect.stringMatching(/acme\/us {2}head \d+ sha256:/) });
    expect(backup.stdout).not.toContain("acme/eu");
    const nowhere = await countersign(["backup", path.join(app.dataDir, "backup-ap"), "--region", "ap"], environment);
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining("REGIONS names no region ap") });
    const migrated = await countersign(["migrate"], environment);
    expect(migrated).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/Nothing to do.*Region us:.*Nothing to do/s),
    });
  });

  it("does not start on the database of another region", async () => {
    const swapped = { DATABASE_URL: us.appUrl, REGIONS: `us=${eu.appUrl}`, DATA_DIR: await makeDataDir() };
    const { code, stderr } = await countersign(["serve", "--port", "0"], swapped);
    expect(code).toBe(2);
    expect(stderr).toContain("the database of region eu has ledger acme/us");
  });
});
