import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { settings } from "../../src/cli/options.ts";
import { type DemoTokens, openDemoTokens } from "../../src/cli/tokens.ts";
import { fourEyes } from "../graphql/policy-documents.ts";
import { countersign } from "./run.ts";
import { type Serving, startServing } from "./serving.ts";

let serving: Serving;
let tokens: DemoTokens;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-policy-"));
  serving = await startServing();
  tokens = await openDemoTokens(settings({ dataDir: serving.dataDir }));
});
afterAll(async () => {
  await serving?.close();
  await rm(folder, { recursive: true, force: true });
});

async function ask<Data>(as: Parameters<DemoTokens["sign"]>[0], query: string, variables = {}): Promise<Data> {
  const response = await fetch(serving.url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${await tokens.sign(as)}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { readonly data: Data; readonly errors?: readonly object[] };
  expect(errors).toBeUndefined();
  return data;
}

async function fileOf(document: string): Promise<string> {
  const file = path.join(folder, `${randomUUID()}.yaml`);
  await writeFile(file, document);
  return file;
}

/** A file that can be read once. */
function readOnce(document: string): string {
  const file = path.join(folder, randomUUID());
  spawnSync("mkfifo", [file]);
  const writing = spawn("sh", ["-c", 'cat > "$0"', file], { stdio: ["pipe", "ignore", "ignore"] });
  writing.stdin.end(document);
  return file;
}

const policy = (command: string, ...args: readonly string[]) =>
  countersign(["policy", command, ...args], serving.environment);
const publish = (file: string, ...args: readonly string[]) => policy("publish", file, "--note", "a test", ...args);
const versions = async () => {
  const query = "{ policyVersions(first: 100) { nodes { version state } } }";
  return (await ask<{ policyVersions: { nodes: readonly object[] } }>("auditor", query)).policyVersions.nodes;
};

describe("policy simulate", () => {
  const ACTIONS = 103;

  it("lists what would change in one evaluation, and goes on behind it", async () => {
    const read = (at: number) => ({
      idempotencyKey: randomUUID(),
      platform: "crm",
      tool: "get_user_details",
      arguments: { at },
    });
    const all = Array.from({ length: ACTIONS }, (_, at) => read(at));
    const mutation = "mutation($input:ProposeActionsInput!){proposeActions(input:$input){userErrors{code}}}";
    for (const actions of [all.slice(0, 100), all.slice(100)]) {
      expect(await ask("agent", mutation, { input: { actions } })).toEqual({ proposeActions: { userErrors: [] } });
    }
    const document = fourEyes(200).replace("permit: true", "forbid: true");
    const first = await policy("simulate", readOnce(document));
    expect(first.stderr).toBe("");
    const lines = first.stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(101);
    expect(lines[0]).toMatch(/^PERMIT -> FORBID {2}crm get_user_details {2}[0-9a-f-]{36} {2}by reads$/);
    expect(lines.at(-1)).toMatch(/^103 actions evaluated, 103 would change; what follows with --after \S+$/);
    const after = lines.at(-1)?.split(" ").at(-1) ?? "";
    const rest = await policy("simulate", await fileOf(document), "--after", after);
    expect(rest.code).toBe(exitCodes.OK);
    const further = rest.stdout.trimEnd().split("\n");
    expect(further.at(-1)).toBe("103 actions evaluated, 103 would change");
    expect(new Set([...lines.slice(0, -1), ...further.slice(0, -1)]).size).toBe(ACTIONS);
  });

  it("refuses what is no place in the list", async () => {
    const { code, stderr } = await policy("simulate", await fileOf(fourEyes(200)), "--after", "nowhere");
    expect(stderr).toContain("BAD_USER_INPUT");
    expect(code).toBe(exitCodes.USAGE);
  });
});

describe("policy publish", () => {
  it("proposes what it read, and says who approves it and how", async () => {
    const { code, stdout, stderr } = await publish(readOnce(fourEyes(200)));
    expect(stderr).toBe("");
    expect(code).toBe(exitCodes.OK);
    expect(stdout).toContain("four-eyes");
    expect(stdout).toMatch(/^Proposed as version 2 of the policy, sha256:[0-9a-f]{64}\.$/m);
    expect(stdout).toMatch(
      /^Nothing changes before it is approved, until \S+ at the latest\. Another administrator must/m,
    );
    expect(stdout).toContain(`in the tab \`Waiting\` of ${serving.url}`);
    const approve = /^ {2}(mutation \{ approveAction.*)$/m.exec(stdout)?.[1] ?? "";
    expect(await ask("admin", approve)).toMatchObject({
      approveAction: { userErrors: [{ code: "REQUESTER_CANNOT_DECIDE" }] },
    });
    expect(await ask("admin2", approve)).toEqual({
      approveAction: { action: { status: "SUCCEEDED" }, userErrors: [] },
    });
    expect(await versions()).toMatchObject([
      { version: 2, state: "ACTIVE" },
      { version: 1, state: "RETIRED" },
    ]);
  });

  it("proposes nothing that is in force already", async () => {
    const { code, stdout } = await publish(await fileOf(fourEyes(200)));
    expect(stdout).toMatch(/^NOTHING_CHANGED: /);
    expect(code).toBe(exitCodes.FAILED);
  });

  it("proposes only the document that was compared, where that is named", async () => {
    const [old, compared] = [await fileOf(fourEyes(200)), await fileOf(fourEyes(300))];
    const hash = /sha256:[0-9a-f]{64}/.exec((await policy("diff", old, compared)).stderr)?.[0] ?? "";
    const before = await versions();
    await writeFile(compared, fourEyes(9_000));
    const changed = await publish(compared, "--hash", hash);
    expect(changed.stderr).toContain(`not ${hash}: it was changed since. Nothing was proposed.`);
    expect(changed).toMatchObject({ code: exitCodes.FAILED, stdout: "" });
    expect(await versions()).toEqual(before);
    await writeFile(compared, fourEyes(300));
    const { code, stdout } = await publish(compared, "--hash", hash, "--shadow");
    expect(code).toBe(exitCodes.OK);
    expect(stdout).toContain(hash);
    const cancel = /^ {2}(mutation \{ cancelAction.*)$/m.exec(stdout)?.[1] ?? "";
    expect(await ask("admin", cancel)).toEqual({ cancelAction: { action: { status: "CANCELLED" }, userErrors: [] } });
  });

  it("is for administrators", async () => {
    const file = await fileOf(fourEyes(400));
    const args = ["policy", "publish", file, "--note", "a test"];
    const token = { COUNTERSIGN_TOKEN: await tokens.sign("auditor") };
    const { code, stdout } = await countersign(args, { ...serving.environment, ...token });
    expect(stdout).toMatch(/^ADMINISTRATORS_ONLY: /);
    expect(code).toBe(exitCodes.REFUSED);
  });
});
