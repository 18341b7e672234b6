import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { settings } from "../../src/cli/options.ts";
import { openDemoTokens } from "../../src/cli/tokens.ts";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { openLineageProblems, provProblems } from "../support/lineage-schemas.ts";
import { withClient } from "../support/server.ts";
import { countersign, start } from "./run.ts";
import { type Serving, startServing } from "./serving.ts";

/** A platform that has in its name what a URI, a name of PROV or a line cannot have, and more than one byte a character. */
const HOSTILE = `my "table"/ü😀?#%41 ${"x".repeat(120)}`;
const SECRET = { name: "Amelia Ahmed", email: "amelia@secret.example", phone: "+49 30 901820" };

let folder: string;
let serving: Serving;
let tokenOf: (as: DemoName) => Promise<string>;
const actions: Record<string, string> = {};

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-lineage-"));
  const catalog = path.join(folder, "catalog.json");
  await writeFile(
    catalog,
    JSON.stringify({
      platforms: {
        crm: { region: "eu", tools: { list_contacts: { effect: "READ" } } },
        flights: { region: "us", tools: { list_airports: { effect: "READ" } } },
        [HOSTILE]: { region: "us", tools: { 'append "rows"': { effect: "WRITE" } } },
      },
    }),
  );
  serving = await startServing(["--catalog", catalog]);
  const tokens = await openDemoTokens(settings({ dataDir: serving.dataDir }));
  tokenOf = (as) => tokens.sign(as);
  await tell();
}, 120_000);
afterAll(async () => {
  await serving?.close();
  await rm(folder, { recursive: true, force: true });
});

const run = (...args: readonly string[]) => countersign(args, serving.environment);
const linesOf = (text: string) => text.split("\n").filter((line) => line !== "");

async function call<Data>(mutation: string, input: object, as: DemoName, selection: string): Promise<Data> {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const response = await fetch(serving.url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${await tokenOf(as)}` },
    body: JSON.stringify({
      query: `mutation($input:${type}!){${mutation}(input:$input){${selection} userErrors{code message}}}`,
      variables: { input },
    }),
  });
  const { data } = (await response.json()) as {
    data: Record<string, Data & { readonly userErrors: readonly object[] }>;
  };
  expect(data[mutation]?.userErrors).toEqual([]);
  return data[mutation] as Data;
}

interface Proposed {
  readonly action: { readonly id: string; readonly uuid: string; readonly digest: string; readonly status: string };
  readonly grant: { readonly token: string } | null;
}

const propose = (input: object) =>
  call<Proposed>(
    "proposeAction",
    { idempotencyKey: randomUUID(), arguments: {}, repeat: true, ...input },
    "agent",
    "action{id uuid digest status} grant{token}",
  );

async function carryOut({ action, grant }: Proposed, outcome: object): Promise<void> {
  const token =
    grant?.token ?? (await call<Proposed>("claimGrant", { actionId: action.id }, "agent", "grant{token}")).grant?.token;
  await call("redeemGrant", { token, digest: action.digest }, "agent", "action{status}");
  await call("completeAction", { actionId: action.id, ...outcome }, "agent", "action{status}");
}

/** A read, another one that has nothing to do with it, and writes: approved and carried out, denied, left open, and of an unknown tool. */
async function tell(): Promise<void> {
  const conversationId = randomUUID();
  const read = await propose({ platform: "crm", tool: "list_contacts", conversationId });
  await carryOut(read, { outcome: "SUCCEEDED", result: { contacts: [SECRET] } });
  const other = await propose({ platform: "flights", tool: "list_airports", conversationId });
  await carryOut(other, { outcome: "SUCCEEDED", result: ["Berlin (BER)", "Rome (FCO)"] });
  const rows = { rows: [[SECRET.name.toUpperCase(), SECRET.email, SECRET.phone]] };
  const writes: Proposed[] = [];
  for (let at = 0; at < 3; at += 1) {
    writes.push(
      await propose({
        platform: HOSTILE,
        tool: 'append "rows"',
        arguments: rows,
        conversationId,
        rationale: "because",
      }),
    );
  }
  const [written, denied, failed] = writes as [Proposed, Proposed, Proposed];
  const decide = ({ action: { id, digest } }: Proposed, mutation: string, note?: string) =>
    call(mutation, { actionId: id, digest, ...(note === undefined ? {} : { note }) }, "approver", "action{status}");
  await decide(written, "approveAction");
  await carryOut(written, { outcome: "SUCCEEDED", result: { updated: 1 } });
  await decide(denied, "denyAction", "not these");
  await decide(failed, "approveAction");
  await carryOut(failed, { outcome: "FAILED", error: `no room for ${SECRET.name}` });
  const open = await propose({ platform: HOSTILE, tool: 'append "rows"', arguments: rows, conversationId });
  const blocked = await propose({ platform: "nowhere", tool: "drop", conversationId });
  Object.assign(actions, {
    read: read.action.uuid,
    other: other.action.uuid,
    written: written.action.uuid,
    denied: denied.action.uuid,
    failed: failed.action.uuid,
    open: open.action.uuid,
    blocked: blocked.action.uuid,
  });
}

interface Dataset {
  readonly namespace: string;
  readonly name: string;
}
interface RunEvent {
  readonly eventType: string;
  readonly eventTime: string;
  readonly run: {
    readonly runId: string;
    readonly facets: {
      readonly countersign_entry: { readonly seq: string; readonly status: string };
      readonly countersign_authorization: {
        readonly agent: { readonly id: string };
        readonly onBehalfOf: { readonly id: string };
        readonly digest: string;
        readonly approvers: readonly { readonly id: string; readonly channel: string }[];
      };
      readonly countersign_sources?: {
        readonly observed: readonly { readonly platform: string; readonly values: number }[];
        readonly possible: readonly { readonly platform: string }[];
      };
    };
  };
  readonly job: {
    readonly namespace: string;
    readonly name: string;
    readonly facets: { readonly lineage?: { readonly entries: readonly { readonly inputs: readonly Dataset[] }[] } };
  };
  readonly inputs: readonly Dataset[];
  readonly outputs: readonly Dataset[];
}
const eventsOf = (text: string) => linesOf(text).map((line) => JSON.parse(line) as RunEvent);
const HOSTILE_NAMESPACE = `countersign://acme/${encodeURIComponent(HOSTILE)}`;

describe("export --format openlineage", () => {
  let events: readonly RunEvent[];
  let exported: string;
  beforeAll(async () => {
    const { stdout, stderr, code } = await run("export", "--format", "openlineage");
    expect({ code, stderr }).toMatchObject({ code: exitCodes.OK, stderr: expect.stringMatching(/^\d+ events$/m) });
    exported = stdout;
    events = eventsOf(stdout);
  });
  const typesOf = (name: string) =>
    events.filter(({ run: { runId } }) => runId === actions[name]).map(({ eventType }) => eventType);
  const eventOf = (name: string, type: string) =>
    events.find(({ run: { runId }, eventType }) => runId === actions[name] && eventType === type)!;

  it("writes events that the published schemas accept, each facet by the schema that it names", () => {
    expect(events.flatMap((event) => openLineageProblems(event))).toEqual([]);
    // Both would notice.
    const [event] = events as [RunEvent];
    expect(openLineageProblems({ ...event, eventTime: "yesterday" })).not.toEqual([]);
    const facets = { ...event.run.facets, countersign_entry: { ...event.run.facets.countersign_entry, seq: 1 } };
    expect(openLineageProblems({ ...event, run: { ...event.run, facets } })).not.toEqual([]);
  });

  it("starts a run where an action is proposed, and ends it by what became of it", () => {
    expect(typesOf("read")).toEqual(["START", "RUNNING", "COMPLETE"]);
    expect(typesOf("written")).toEqual(["START", "RUNNING", "COMPLETE"]);
    expect(typesOf("failed")).toEqual(["START", "RUNNING", "FAIL"]);
    expect(typesOf("denied")).toEqual(["START", "ABORT"]);
    expect(typesOf("blocked")).toEqual(["START", "ABORT"]);
    expect(typesOf("open")).toEqual(["START"]);
    const seqs = events.map(({ run }) => BigInt(run.facets.countersign_entry.seq));
    expect(seqs).toEqual(seqs.toSorted((one, other) => Number(one - other)));
  });

  it("has observed sources as inputs and lineage of what was written, and possible ones in a facet of its own alone", () => {
    const { inputs, outputs, job, run: writing } = eventOf("written", "COMPLETE");
    const crm = { namespace: "countersign://acme/crm", name: "eu" };
    expect(inputs).toEqual([crm]);
    expect(outputs).toEqual([{ namespace: HOSTILE_NAMESPACE, name: "us" }]);
    expect(job).toMatchObject({ namespace: HOSTILE_NAMESPACE, name: 'append "rows"' });
    expect(job.facets.lineage?.entries).toEqual([
      { ...outputs[0], type: "DATASET", inputs: [{ ...crm, type: "DATASET", transformations: [{ type: "DIRECT" }] }] },
    ]);
    const sources = writing.facets.countersign_sources;
    expect(sources?.observed).toMatchObject([{ platform: "crm", values: 3 }]);
    expect(sources?.possible.map(({ platform }) => platform)).toContain("flights");
    expect(eventOf("read", "COMPLETE")).toMatchObject({ inputs: [crm], outputs: [] });
    // Nothing was written by the others, so no data moved.
    for (const [name, type] of [
      ["denied", "ABORT"],
      ["failed", "FAIL"],
      ["open", "START"],
    ] as const) {
      const event = eventOf(name, type);
      expect({ inputs: event.inputs, outputs: event.outputs, lineage: event.job.facets.lineage }).toEqual({
        inputs: [],
        outputs: [],
        lineage: undefined,
      });
    }
  });

  it("says who wanted it, for whom, and who approved it", () => {
    expect(eventOf("written", "COMPLETE").run.facets.countersign_authorization).toMatchObject({
      agent: { id: "agent" },
      onBehalfOf: { id: "member" },
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      approvers: [{ id: "approver", channel: "API" }],
    });
    expect(eventOf("written", "START").run.facets.countersign_authorization.approvers).toEqual([]);
  });

  it("has nothing of what was read, written or typed", () => {
    for (const secret of [
      ...Object.values(SECRET),
      "Amelia",
      "because",
      "not these",
      "no room",
      'contacts\\"',
      "updated",
    ]) {
      expect(exported.toLowerCase()).not.toContain(secret.toLowerCase());
    }
  });

  it("is the same from the database, from any position on, and when it is repeated", async () => {
    const direct = await run("export", "--format", "openlineage", "--database-url");
    expect(direct.stdout).toBe(exported);
    for (const at of [3, 11]) {
      const from = events[at]?.run.facets.countersign_entry.seq ?? "";
      const rest = events.filter(({ run }) => BigInt(run.facets.countersign_entry.seq) >= BigInt(from));
      for (const source of [[], ["--database-url"]]) {
        const part = await run("export", "--format", "openlineage", "--from", from, ...source);
        expect(part.stderr).toMatch(/^\d+ events?$/m);
        expect(eventsOf(part.stdout)).toEqual(rest);
      }
    }
  });

  it("can be continued from the last whole line after it was killed", async () => {
    const file = path.join(serving.dataDir, "events.jsonl");
    const child = start(["export", "--format", "openlineage", "--database-url"], serving.environment);
    // It is ended while it writes, and what there is ends anywhere.
    let said = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (linesOf(said).length > 4) child.kill("SIGKILL");
    });
    await new Promise((resolve) => child.once("close", resolve));
    const whole = linesOf(said.slice(0, said.lastIndexOf("\n") - 20)).slice(0, -1);
    const from = eventsOf(whole.at(-1) ?? "")[0]?.run.facets.countersign_entry.seq ?? "";
    const rest = await run("export", "--format", "openlineage", "--database-url", "--from", from, "-o", file);
    expect(rest.code).toBe(exitCodes.OK);
    const together = new Set([...whole, ...linesOf(await readFile(file, "utf8"))]);
    expect([...together]).toEqual(linesOf(exported));
  });
});

describe("export --format prov", () => {
  type Relation = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  interface Document {
    readonly prefix: Readonly<Record<string, string>>;
    readonly entity: Relation;
    readonly activity?: Relation;
    readonly wasDerivedFrom?: Relation;
    readonly wasInfluencedBy?: Relation;
    readonly actedOnBehalfOf?: Relation;
    readonly wasAssociatedWith?: Relation;
    readonly wasGeneratedBy?: Relation;
  }
  let documents: readonly Document[];
  let exported: string;
  beforeAll(async () => {
    const { stdout, stderr, code } = await run("export", "--format", "prov");
    expect({ code, stderr }).toMatchObject({ code: exitCodes.OK, stderr: expect.stringMatching(/^\d+ documents$/m) });
    exported = stdout;
    documents = linesOf(stdout).map((line) => JSON.parse(line) as Document);
  });
  const documentOf = (name: string) =>
    documents.find(({ entity }) => entity[`org:proposal/${actions[name]}`] !== undefined)!;
  const relationsOf = (relation: Relation | undefined) => Object.values(relation ?? {});

  it("writes a document for each action that ended, which the published schema accepts", () => {
    expect(documents.flatMap((document) => provProblems(document))).toEqual([]);
    expect(documents).toHaveLength(6);
    expect(documentOf("open")).toBeUndefined();
    const [first] = documents as [Document];
    expect(provProblems({ ...first, wasEndedBy: {} })).toHaveLength(1);
    expect(provProblems({ ...first, used: { a: {} } })).toHaveLength(1);
  });

  it("derives what was written from what was observed to be its source, and from nothing else", () => {
    const { wasDerivedFrom, wasInfluencedBy } = documentOf("written");
    const written = `org:written/${actions.written}`;
    const [read] = relationsOf(documentOf("read").wasGeneratedBy);
    expect(relationsOf(wasDerivedFrom)).toEqual([
      expect.objectContaining({ "prov:generatedEntity": written, "prov:usedEntity": read?.["prov:entity"] }),
    ]);
    const [other] = relationsOf(documentOf("other").wasGeneratedBy);
    expect(relationsOf(wasInfluencedBy)).toContainEqual(
      expect.objectContaining({
        "prov:influencee": written,
        "prov:influencer": other?.["prov:entity"],
        "prov:type": { $: "cs:PossibleSource", type: "prov:QUALIFIED_NAME" },
        "cs:certainty": "POSSIBLE",
      }),
    );
    for (const name of ["denied", "failed", "blocked"]) {
      expect(Object.keys(documentOf(name))).not.toContain("wasDerivedFrom");
      expect(Object.keys(documentOf(name))).not.toContain("wasInfluencedBy");
    }
  });

  it("says who acted for whom, and who approved or denied", () => {
    const { actedOnBehalfOf, wasAssociatedWith, activity } = documentOf("written");
    expect(relationsOf(actedOnBehalfOf)).toEqual([
      { "prov:delegate": "org:principal/agent", "prov:responsible": "org:principal/member" },
    ]);
    expect(relationsOf(wasAssociatedWith).map((relation) => relation["prov:agent"])).toEqual([
      "org:principal/approver",
      "org:principal/agent",
    ]);
    expect(Object.keys(activity ?? {})).toContain(`org:action/${actions.written}`);
    // What was denied never began.
    expect(Object.keys(documentOf("denied").activity ?? {})).toEqual([
      expect.stringMatching(/^org:decision\/eu\/\d+$/),
    ]);
  });

  it("names everything by URIs, and has nothing of what was read, written or typed", async () => {
    for (const { prefix, ...kinds } of documents) {
      expect(prefix).toEqual({ cs: "urn:countersign:prov:", org: "countersign://acme/" });
      for (const names of Object.values(kinds).flatMap(Object.keys)) expect(names).toMatch(/^(org:[\w/%-]+|_:r\d+)$/);
    }
    for (const secret of [...Object.values(SECRET), "Amelia", "because", "not these", "no room", "updated"]) {
      expect(exported.toLowerCase()).not.toContain(secret.toLowerCase());
    }
    expect((await run("export", "--format", "prov", "--database-url")).stdout).toBe(exported);
  });
});

describe("export of lineage", () => {
  it.each([
    [["--format", "csv"], "entries, openlineage, prov"],
    [["--format", "prov", "--database-url", "--payloads", "none.txt"], "--payloads is for entries"],
    [["--format", "prov", "--from", "9", "--to", "8"], "--from 9 is behind --to 8"],
    [["--format", "openlineage", "--from", "0"], "a ledger position"],
    [["--format", "openlineage", "--database-url", "--region", "eu"], "--region is for the API"],
  ])("refuses %j", async (args, message) => {
    const { code, stdout, stderr } = await run("export", ...args);
    expect({ code, stdout, stderr }).toEqual({
      code: exitCodes.USAGE,
      stdout: "",
      stderr: expect.stringContaining(message),
    });
  });

  it("has nothing behind the end of the ledger, nor of an organization without one", async () => {
    const behind = await run("export", "--format", "openlineage", "--from", "9000000");
    expect(behind).toMatchObject({ code: exitCodes.OK, stdout: "" });
    const others = await run("export", "--format", "openlineage", "--database-url", "--ledger", "globex/eu");
    expect(others).toMatchObject({ code: exitCodes.OK, stdout: "" });
    const unknown = await run("export", "--format", "openlineage", "--region", "mars");
    expect(unknown.code).not.toBe(exitCodes.OK);
    expect(unknown.stdout).toBe("");
  });

  it("has the end of an action that was given more time again and again, wherever it begins", async () => {
    const { action, grant } = await propose({ platform: "crm", tool: "list_contacts" });
    await call("redeemGrant", { token: grant?.token, digest: action.digest }, "agent", "action{status}");
    // More than a page of entries.
    for (let at = 1; at <= 101; at += 1) {
      await call("extendExecution", { actionId: action.id, seconds: 2_000 + at * 60 }, "agent", "action{status}");
    }
    await call("completeAction", { actionId: action.id, outcome: "SUCCEEDED" }, "agent", "action{status}");
    const seq = await withClient(serving.database.superuserUrl, async (client) => {
      const { rows } = await client.query<{ seq: string }>(
        "SELECT max(seq) AS seq FROM oc_audit_log WHERE ledger = 'acme/eu' AND type = 'ACTION_COMPLETED'",
      );
      return rows[0]?.seq ?? "";
    });
    for (const source of [[], ["--database-url"]]) {
      const { stdout, stderr } = await run("export", "--format", "openlineage", "--from", seq, ...source);
      expect(stderr).toMatch(/^1 event$/m);
      expect(eventsOf(stdout)).toMatchObject([{ eventType: "COMPLETE", run: { runId: action.uuid } }]);
    }
  });

  it("has what whoever exports may see: nothing of another organization", async () => {
    const as = async (name: DemoName) =>
      countersign(["export", "--format", "openlineage"], {
        ...serving.environment,
        COUNTERSIGN_TOKEN: await tokenOf(name),
      });
    const all = linesOf((await as("auditor")).stdout);
    const outsider = await as("outsider");
    expect(outsider).toMatchObject({ stdout: "" });
    const seen = linesOf((await as("member")).stdout);
    expect(eventsOf(seen.join("\n")).map(({ run }) => run.runId)).toContain(actions.written);
    for (const line of seen) expect(all).toContain(line);
  });

  it("is not changed by erasing what entries committed to", async () => {
    const before = await run("export", "--format", "openlineage", "--database-url");
    await withClient(serving.database.superuserUrl, async (client) => {
      await client.query("SET event_triggers = off");
      await client.query("SET session_replication_role = replica");
      await client.query("ALTER TABLE oc_audit_payload DISABLE TRIGGER ALL");
      await client.query("DELETE FROM oc_audit_payload WHERE ledger = 'acme/eu'");
    });
    const after = await run("export", "--format", "openlineage", "--database-url");
    expect(after.stdout).toBe(before.stdout);
  });

  it.each([
    [
      "a letter changed",
      `UPDATE oc_audit_log SET entry = replace(entry, '"effect":"READ"', '"effect":"READY"') WHERE seq = 3`,
    ],
    ["an entry is missing", "DELETE FROM oc_audit_log WHERE seq = 5"],
  ])("ends with 1, and names the place, where %s", async (_what, statement) => {
    await withClient(serving.database.superuserUrl, async (client) => {
      await client.query("SET event_triggers = off");
      await client.query("SET session_replication_role = replica");
      await client.query("ALTER TABLE oc_audit_log DISABLE TRIGGER ALL");
      await client.query("ALTER TABLE oc_audit_log DROP CONSTRAINT IF EXISTS oc_audit_log_hash");
      await client.query(statement);
    });
    const { code, stderr } = await run("export", "--format", "openlineage", "--database-url", "--ledger", "acme/eu");
    expect(stderr).toMatch(/ledger acme\/eu is damaged: .*entry \d/);
    expect(code).toBe(exitCodes.FAILED);
  });
});
