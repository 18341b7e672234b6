import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { exitCodes } from "../../src/cli/exit.ts";
import { canonicalize, type JsonObject } from "../../src/facts/canonical.ts";
import { type Payload, withheldValues } from "../../src/facts/payload.ts";
import { withClient } from "../support/server.ts";
import { countersign, root } from "./run.ts";
import { type Serving, startServing } from "./serving.ts";

const demo = path.join(root, "clients/demo");
const line = z.object({ ledger: z.string(), prevHash: z.string(), seq: z.string(), v: z.literal(1) });
const found = z.object({
  verdict: z.string(),
  checkedEntries: z.string(),
  head: z.object({ seq: z.string(), hash: z.string() }),
  problems: z.array(z.object({ verdict: z.string(), seq: z.string().nullable() })),
});

let serving: Serving;
let entries: number;
beforeAll(async () => {
  serving = await startServing();
  const traces = path.join(serving.dataDir, "traces.jsonl");
  const [first = ""] = (await readFile(path.join(demo, "airline.jsonl"), "utf8")).split("\n");
  await writeFile(traces, first);
  const replayed = await countersign(["replay", traces, "--json"], serving.environment);
  expect(replayed.stderr).not.toContain("countersign:");
  entries = Number(z.object({ verification: found }).parse(JSON.parse(replayed.stdout)).verification.head.seq);
});
afterAll(() => serving?.close());

const run = (...args: readonly string[]) => countersign(args, serving.environment);
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

describe("export", () => {
  it("writes lines whose SHA-256 is the prevHash of the next, the same from the API and the database", async () => {
    const file = path.join(serving.dataDir, "ledger.jsonl");
    expect((await run("export", "--output", file)).code).toBe(exitCodes.OK);
    const whole = await readFile(file, "utf8");
    const lines = whole.split("\n");
    expect(lines.pop()).toBe("");
    // Reading the ledger adds an entry to it, which may or may not be in what was read.
    expect(lines.length - entries).toBeOneOf([0, 1]);
    for (const [index, each] of lines.entries()) {
      const { prevHash, seq, ledger } = line.parse(JSON.parse(each));
      expect({ seq, ledger }).toEqual({ seq: String(index + 1), ledger: "acme/eu" });
      expect(prevHash).toBe(index === 0 ? "0".repeat(64) : sha256(lines[index - 1]!));
    }
    const direct = await run("export", "--database-url", "--to", String(lines.length));
    expect(direct.stdout).toBe(whole);
    const part = await run("export", "--from", "2", "--to", "3");
    expect(part.stdout).toBe(`${lines.slice(1, 3).join("\n")}\n`);
  });
});

describe("export of a part", () => {
  const answer = z.object({
    data: z.object({ auditEntries: z.object({ nodes: z.array(z.object({ seq: z.string() })) }) }),
  });

  /** Exports through a server that passes calls on; the lines written, and the positions that each answer of the API had. */
  async function exportPart(...args: readonly string[]) {
    const answers: string[][] = [];
    const between = createServer((request, response) => {
      void (async () => {
        const headers = { "content-type": "application/json", authorization: request.headers.authorization ?? "" };
        const passed = await fetch(serving.url, { method: "POST", headers, body: await text(request) });
        const body = await passed.text();
        answers.push(answer.parse(JSON.parse(body)).data.auditEntries.nodes.map(({ seq }) => seq));
        response.writeHead(passed.status, { "content-type": "application/json" }).end(body);
      })();
    }).listen(0, "127.0.0.1");
    await once(between, "listening");
    const url = `http://127.0.0.1:${(between.address() as AddressInfo).port}/graphql`;
    const { code, stdout } = await run("export", "--url", url, ...args);
    between.close();
    expect(code).toBe(exitCodes.OK);
    const written = stdout.trimEnd().split("\n");
    return { written: written.map((each) => line.parse(JSON.parse(each)).seq), answers };
  }

  const positions = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => String(from + at));

  beforeAll(async () => {
    const token = (await run("token", "--as", "agent")).stdout.trim();
    const actions = Array.from({ length: 100 }, () => ({
      idempotencyKey: randomUUID(),
      platform: "reservations",
      tool: "get_reservation_details",
      arguments: {},
    }));
    const query = "mutation($input:ProposeActionsInput!){proposeActions(input:$input){results{action{id}}}}";
    for (let batch = 0; batch < 3; batch++) {
      const variables = { input: { actions: actions.map((each) => ({ ...each, idempotencyKey: randomUUID() })) } };
      const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
      const proposed = await fetch(serving.url, {
        method: "POST",
        headers,
        body: JSON.stringify({ query, variables }),
      });
      expect(await proposed.text()).not.toContain("errors");
    }
  });

  it("asks the API for no entry before --from and none after --to", async () => {
    const from = entries + 201;
    const short = await exportPart("--from", String(from), "--to", String(from + 1));
    expect(short).toEqual({ written: positions(from, from + 1), answers: [positions(from, from + 1)] });
    const long = await exportPart("--from", "50", "--to", "180");
    expect(long).toEqual({ written: positions(50, 180), answers: [positions(50, 149), positions(150, 180)] });
  });

  it("reads from --from to where the ledger ends", async () => {
    const from = entries + 290;
    const { written, answers } = await exportPart("--from", String(from));
    expect(written).toEqual(positions(from, from + written.length - 1));
    expect(written.length).toBeGreaterThanOrEqual(11);
    expect(answers).toEqual([written]);
  });
});

describe("export --payloads", () => {
  it("writes the values of the commitments with their salts, readable by nobody else", async () => {
    const [file, payloads] = ["lines.jsonl", "payloads.txt"].map((name) => path.join(serving.dataDir, name));
    // Also in a file that others could read before.
    await writeFile(String(payloads), "before", { mode: 0o644 });
    const { code } = await run(
      "export",
      "--database-url",
      "-o",
      String(file),
      "--payloads",
      String(payloads),
      "--from",
      "2",
    );
    expect(code).toBe(exitCodes.OK);
    expect((await stat(String(payloads))).mode & 0o777).toBe(0o600);
    const lines = (await readFile(String(file), "utf8")).trimEnd().split("\n");
    const bodies = new Map(
      lines.map((each) => [line.parse(JSON.parse(each)).seq, JSON.parse(each).body as JsonObject]),
    );
    const stored = new Map<string, Payload>();
    for (const each of (await readFile(String(payloads), "utf8")).trimEnd().split("\n")) {
      const [, seq = "", payload = ""] = /^([1-9]\d*) (\{.*\})$/.exec(each) ?? [];
      expect(canonicalize(JSON.parse(payload) as JsonObject)).toBe(payload);
      stored.set(seq, JSON.parse(payload) as Payload);
    }
    for (const [seq, body] of bodies) expect(withheldValues({ body, payload: stored.get(seq) }).size, seq).toBe(0);
    expect([...stored.keys()]).toEqual([...bodies.keys()].filter((seq) => stored.has(seq)));
    expect(stored.size).toBeGreaterThan(10);
  });

  it("is refused over the API, which returns values without their salts", async () => {
    const { code, stderr } = await run("export", "--payloads", path.join(serving.dataDir, "none.txt"));
    expect(code).toBe(exitCodes.USAGE);
    expect(stderr).toContain("--payloads needs --database-url");
  });
});

describe("export into a reader that has had enough", () => {
  it("ends without a complaint", async () => {
    const command = `"${process.execPath}" src/cli/main.ts export | head -n 1`;
    const child = spawn("bash", ["-o", "pipefail", "-c", command], {
      cwd: root,
      env: { ...process.env, ...serving.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    expect(stdout.split("\n")).toHaveLength(2);
    expect(stderr).not.toContain("EPIPE");
    expect(code).toBe(exitCodes.OK);
  });
});

describe("health", () => {
  it("distinguishes a ready server from an unreachable one", async () => {
    const well = await run("health");
    expect(well.stdout).toMatch(/^\/livez ok/);
    expect(well.stdout).toMatch(/^\/readyz ok/m);
    expect(well.code).toBe(exitCodes.OK);
    const nowhere = await run("health", "--url", "http://127.0.0.1:1/graphql");
    expect(nowhere.code).toBe(exitCodes.UNREACHABLE);
  });
});

describe("verify", () => {
  it("finds the ledger INTACT, over the API and on the database itself", async () => {
    for (const source of [[], ["--database-url", serving.database.superuserUrl, "--data-dir", serving.dataDir]]) {
      const { stdout, code } = await run("verify", "--json", ...source);
      const { verdict, checkedEntries, head, problems } = found.parse(JSON.parse(stdout));
      expect({ verdict, problems }).toEqual({ verdict: "INTACT", problems: [] });
      expect(checkedEntries).toBe(head.seq);
      // What is read meanwhile is recorded as well.
      expect(Number(checkedEntries)).toBeGreaterThanOrEqual(entries);
      expect(code).toBe(exitCodes.OK);
    }
  });

  it("authenticates with COUNTERSIGN_TOKEN if set, and reports when its rights are insufficient", async () => {
    const token = async (as: string) => (await run("token", "--as", as)).stdout.trim();
    const verified = async (bearer: string) =>
      (await countersign(["verify"], { ...serving.environment, COUNTERSIGN_TOKEN: bearer })).code;
    expect(await verified(await token("admin"))).toBe(exitCodes.OK);
    expect(await verified(await token("member"))).toBe(exitCodes.REFUSED);
    expect(await verified("a.b.c")).toBe(exitCodes.REFUSED);
    expect(await verified("two words")).toBe(exitCodes.USAGE);
  });

  it("checks the requested range", async () => {
    const { stdout, code } = await run("verify", "--from", "5", "--to", "9");
    expect(stdout).toMatch(/^INTACT\n {2}5 entries re-hashed, 5 to 9,/);
    expect(code).toBe(exitCodes.OK);
  });

  it("ends with 1 and names the place once somebody changed a letter", async () => {
    await withClient(serving.database.superuserUrl, async (client) => {
      await client.query("SET event_triggers = off");
      await client.query("SET session_replication_role = replica");
      await client.query("ALTER TABLE oc_audit_log DISABLE TRIGGER ALL");
      await client.query("ALTER TABLE oc_audit_log DROP CONSTRAINT oc_audit_log_hash");
      await client.query(`UPDATE oc_audit_log SET entry = replace(entry, '"type":"', '"type":"X') WHERE seq = 7`);
    });
    const direct = ["verify", "--database-url", serving.database.superuserUrl, "--data-dir", serving.dataDir];
    for (const args of [["verify"], direct]) {
      const { stdout, stderr, code } = await run(...args);
      expect(stdout).not.toMatch(/^INTACT/);
      expect(stdout).toMatch(/CONTENT_MISMATCH at 7:/);
      expect(stdout).toContain("UNGUARDED");
      expect(stderr).toContain("not INTACT");
      expect(code).toBe(exitCodes.FAILED);
    }
  });
});
