import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BiScene, startBiScene } from "../support/bi-scene.ts";
import { withClient } from "../support/postgres.ts";

const questions = path.resolve(import.meta.dirname, "../../clients/bi/questions");
/** Debian's, which has Debian's packages. */
const PYTHON = "/usr/bin/python3";
const run = promisify(execFile);
let scene: BiScene;

beforeAll(async () => {
  scene = await startBiScene();
});
afterAll(() => scene?.close());

/** What an ODBC tool is configured with. */
function connectionString(organization: "acme" | "globex" = "acme"): string {
  const { hostname, port, username, password, pathname } = new URL(scene.urlOf(organization));
  const [driver] = globSync("/usr/lib/*/odbc/psqlodbcw.so");
  const parts = {
    Driver: driver,
    Server: hostname,
    Port: port,
    Database: pathname.slice(1),
    Uid: username,
    Pwd: password,
  };
  return Object.entries(parts)
    .map(([name, value]) => `${name}=${value}`)
    .join(";");
}

function runWith(command: string, args: readonly string[], input: string): Promise<{ stdout: string; stderr: string }> {
  const running = run(command, [...args], { env: { ...process.env, LC_ALL: "C.UTF-8" }, timeout: 60_000 });
  running.child.stdin?.end(input);
  return running;
}

/** Statements must be one line each. */
async function isql(...statements: readonly string[]): Promise<string> {
  const { stdout, stderr } = await runWith(
    "isql",
    ["-b", "-v", "-k", connectionString()],
    `${statements.join("\n")}\n`,
  ).catch((error: { stdout: string; stderr: string }) => error);
  return stdout + stderr;
}

interface Described {
  readonly columns: Readonly<Record<string, Readonly<Record<string, readonly [type: string, size: number]>>>>;
  readonly keys: Readonly<Record<string, readonly string[]>>;
  readonly joins: Readonly<Record<string, readonly string[]>>;
  readonly answers: readonly (string | readonly (readonly (string | null)[])[])[];
}

async function ask(statements: readonly string[], tables: readonly string[] = []): Promise<Described> {
  const input = JSON.stringify({ connection: connectionString(), tables, statements });
  return JSON.parse((await runWith(PYTHON, [path.join(import.meta.dirname, "odbc.py")], input)).stdout);
}

const TABLES = ["dim_principal", "dim_platform", "dim_tool", "fact_action", "fact_decision", "fact_lineage_edge"];
const VIEWS = ["actions", "decisions", "lineage_edges", "lineage_paths", "freshness", "version", "dictionary"];

describe("through ODBC", () => {
  it("columns are texts, numbers and times, none of them long or of no type", async () => {
    const { columns, keys, joins } = await ask([], [...TABLES, ...VIEWS]);
    for (const table of [...TABLES, ...VIEWS]) {
      expect(Object.keys(columns[table] ?? {}).length, table).toBeGreaterThan(1);
      for (const [name, [type, size]] of Object.entries(columns[table] ?? {})) {
        expect(type, `${table}.${name}`).toMatch(/^SQL_(W?VARCHAR|BIGINT|INTEGER|SMALLINT|NUMERIC|TYPE_TIMESTAMP)$/);
        if (type.endsWith("VARCHAR")) expect(size, `${table}.${name}`).toBeLessThanOrEqual(255);
        if (name.endsWith("_utc")) expect(type).toBe("SQL_TYPE_TIMESTAMP");
      }
    }
    expect(columns.fact_action).toMatchObject({
      action_id: ["SQL_WVARCHAR", 36],
      proposed_hash: ["SQL_WVARCHAR", 64],
      proposed_seq: ["SQL_BIGINT", expect.any(Number)],
      decision_seconds: ["SQL_NUMERIC", 14],
      is_break_glass: ["SQL_SMALLINT", expect.any(Number)],
    });
    expect(keys).toMatchObject({
      dim_principal: ["principal_key"],
      dim_platform: ["platform_key"],
      dim_tool: ["tool_key"],
      fact_action: ["action_id"],
      fact_decision: ["decision_key"],
      fact_lineage_edge: ["edge_key"],
      actions: [],
    });
    expect(joins.fact_decision).toEqual([
      "action_id -> fact_action.action_id",
      "decided_by_key -> dim_principal.principal_key",
      "delegated_by_key -> dim_principal.principal_key",
    ]);
    expect(joins.fact_action).toContain("tool_key -> dim_tool.tool_key");
  });

  it("each question has the answer that it has over PostgreSQL's own protocol", async () => {
    const files = (await readdir(questions)).sort();
    const statements = await Promise.all(files.map((file) => readFile(path.join(questions, file), "utf8")));
    const { answers } = await ask(statements);
    await withClient(scene.urlOf("acme"), async (client) => {
      for (const [at, sql] of statements.entries()) {
        const { rows } = await client.query({ text: sql, rowMode: "array" });
        const answer = answers[at] as readonly (readonly (string | null)[])[];
        expect(answer, files[at]).toHaveLength(rows.length);
        for (const [line, row] of (rows as unknown[][]).entries()) {
          for (const [column, value] of row.entries()) {
            const other = answer[line]?.[column];
            if (value instanceof Date) expect(other, files[at]).toMatch(/^\d{4}-\d\d-\d\d/);
            else expect(other ?? null, files[at]).toBe(value === null ? null : String(value));
          }
        }
      }
    });
  });

  it.each([
    "SELECT * FROM oc_audit_log",
    "SELECT * FROM oc_audit_payload",
    "SELECT * FROM oc_bi_access",
    "SELECT * FROM oc_work.bi_position",
    "UPDATE oc_bi.fact_action SET status = 'DENIED'",
    "DELETE FROM oc_bi.fact_action",
    "INSERT INTO oc_bi.dim_platform SELECT * FROM oc_bi.dim_platform",
    "CREATE TABLE oc_bi.mine (one integer)",
    "SELECT lo_create(0)",
    "SELECT pg_read_file('postgresql.conf')",
    "SET ROLE oc_owner",
    "SET ROLE oc_bi",
  ])("isql is refused: %s", async (sql) => {
    expect(await isql(sql)).toMatch(/permission denied|must be owner/);
  });

  it("isql sees the rows of its organization alone", async () => {
    const seen = await isql(
      "SELECT DISTINCT organization FROM oc_bi.fact_action",
      "SELECT count(*) AS others FROM oc_bi.fact_action WHERE organization <> 'acme'",
    );
    expect(seen).toMatch(/\| acme +\|/);
    expect(seen).toMatch(/\| others +\|\n\+-+\+\n\| 0 +\|/);
  });
});

it("psql describes tables with their comments, and answers questions from files", async () => {
  const described = await runWith("psql", ["-X", "-At", scene.urlOf("acme"), "-c", "\\d+ oc_bi.fact_decision"], "");
  expect(described.stdout).toContain("Who decided, or tried to. Joins dim_principal.principal_key");
  const file = path.join(questions, "denials-by-rule.sql");
  const { stdout } = await runWith("psql", ["-X", "-At", scene.urlOf("acme"), "-f", file], "");
  expect(stdout).toBe("writes-one-approver|4|1|0|2|1\n");
});
