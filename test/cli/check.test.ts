import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { countersign } from "./run.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-check-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function write(name: string, content: string): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, content);
  return file;
}

describe("check", () => {
  it("prints what a server would run with, without secrets, and makes and connects to nothing", async () => {
    const before = await readdir(folder);
    const DATA_DIR = path.join(folder, "not", "there");
    // Nothing listens on port 1.
    const DATABASE_URL = "postgres://me:hunter2@127.0.0.1:1/none";
    const environment = { DATA_DIR, DATABASE_URL, COUNTERSIGN_TOKEN: "hunter2", APPROVAL_TTL: "60" };
    const { code, stdout, stderr } = await countersign(["check"], environment);
    expect(stderr).toBe("");
    expect(code).toBe(exitCodes.OK);
    expect(stdout.split("\n")).toEqual(
      expect.arrayContaining([
        "APPROVAL_TTL=60",
        `DATA_DIR=${DATA_DIR}`,
        "DATABASE_URL=postgres://me@127.0.0.1:1/none",
        "COUNTERSIGN_TOKEN=(set)",
      ]),
    );
    expect(stdout).not.toContain("hunter2");
    expect(await readdir(folder)).toEqual(before);
  });

  it("prints every problem of settings and files on a line, with its place, and quotes no secret", async () => {
    const catalog = await write("catalog.json", '{\n  "platforms": {},\n  "platforms": {}\n}');
    const identity = await write("identity.json", '{\n  "issuers": [{ "issuer": "ftp://x" }]\n}');
    const keys = await write("keys.json", '{\n  "grants": hunter2\n}');
    const exceptions = await write("exceptions.json", "[]");
    const { code, stdout, stderr } = await countersign(["check", "--catalog", catalog, "--data-dir", folder], {
      IDENTITY_FILE: identity,
      SIGNING_KEY_FILE: keys,
      GUARD_EXCEPTIONS: exceptions,
      HEARTBEAT: "soon",
      TLS_KEY_FILE: "key.pem",
      DATABASE_URL: "postgres://me:hunter2@db.example/x?sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
    });
    const lines = stdout.trim().split("\n");
    const expected = [
      'HEARTBEAT has to be a number of seconds from 0.1 to 300, not "soon"',
      "TLS_CERT_FILE and TLS_KEY_FILE have to be set together",
      `the catalog ${catalog} (CATALOG or --catalog) has the member of line 2, column 3 again at line 3, column 3`,
      `bad identity file ${identity} (IDENTITY_FILE): issuers.0.issuer at line 2, column 27: must be an https URL`,
      `bad identity file ${identity} (IDENTITY_FILE): issuers.0.organization at line 2, column 15: `,
      `the key file ${keys} (SIGNING_KEY_FILE or DATA_DIR) is not JSON: invalid symbol at line 2, column 13`,
      `bad file of guard exceptions ${exceptions} (GUARD_EXCEPTIONS): the file at line 1, column 1: `,
      "the file /nowhere/ca.pem of sslrootcert in DATABASE_URL cannot be read",
    ];
    for (const beginning of expected) {
      expect(
        lines.filter((line) => line.startsWith(beginning)),
        `${beginning} in ${stdout}`,
      ).toHaveLength(1);
    }
    expect(lines).toHaveLength(expected.length);
    expect(stderr).toBe(`countersign: a server with these settings could not start (problems: ${expected.length})\n`);
    expect(`${stdout}${stderr}`).not.toContain("hunter2");
    expect(code).toBe(exitCodes.USAGE);
  });

  it("says what a server would refuse before it reads anything else", async () => {
    const file = await write("plain", "");
    const { code, stdout } = await countersign(["check", "--data-dir", path.join(file, "data")], {
      NODE_ENV: "production",
      METRICS_PORT: "4000",
      SIGNING_KEY_FILE: path.join(folder, "new-keys.json"),
    });
    expect(stdout).toContain("name your identity provider in IDENTITY_FILE");
    expect(stdout).toContain("METRICS_PORT has to differ from PORT");
    expect(stdout).toContain("DATA_DIR");
    expect(code).toBe(exitCodes.USAGE);
    expect(await readdir(folder)).not.toContain("new-keys.json");
  });
});
