import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { decodeJwt, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { type Keys, loadKeys } from "../../src/domain/identity/keys.ts";
import { countersign } from "./run.ts";

let dataDir: string;
let keys: Keys;

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), "countersign-token-"));
  keys = await loadKeys(path.join(dataDir, "keys.json"));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

describe("token", () => {
  it("prints a token that the keys of the data directory verify, and nothing else", async () => {
    const { code, stdout } = await countersign(["token", "--as", "approver", "--ttl", "60"], { DATA_DIR: dataDir });
    expect(code).toBe(exitCodes.OK);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const { payload } = await jwtVerify(stdout.trim(), keys.issuer.publicKey, { audience: "countersign" });
    expect(payload.sub).toBe("approver");
    expect(payload.exp! - payload.iat!).toBe(60);
  });

  it("signs for an agent with the given roles, still as an agent", async () => {
    const args = ["token", "--as", "agent", "--role", "approver", "--role", "admin", "--data-dir", dataDir];
    const claims = decodeJwt((await countersign(args)).stdout.trim());
    expect(claims).toMatchObject({ sub: "member", act: { sub: "agent", roles: ["approver", "admin"] } });
  });

  it("says how the person signed in, as a provider would", async () => {
    const args = ["token", "--as", "approver", "--amr", "pwd", "--amr", "otp", "--data-dir", dataDir];
    expect(decodeJwt((await countersign(args)).stdout.trim())).toMatchObject({ sub: "approver", amr: ["pwd", "otp"] });
  });

  it("is refused in production", async () => {
    const environment = { DATA_DIR: dataDir, NODE_ENV: "production" };
    const { code, stdout, stderr } = await countersign(["token", "--as", "approver"], environment);
    expect(stdout).toBe("");
    expect(stderr).toContain("no demo tokens in production");
    expect(code).toBe(exitCodes.REFUSED);
  });

  it("is refused when an IDENTITY_FILE is set: the server would not accept it", async () => {
    const identityFile = path.join(dataDir, "identity.json");
    await writeFile(
      identityFile,
      JSON.stringify({ issuers: [{ issuer: "https://login.example", organization: "acme" }] }),
    );
    const environment = { DATA_DIR: dataDir, IDENTITY_FILE: identityFile };
    const { code, stdout, stderr } = await countersign(["token", "--as", "approver"], environment);
    expect(stdout).toBe("");
    expect(stderr).toContain("no demo tokens");
    expect(code).toBe(exitCodes.REFUSED);
  });

  it("makes no keys of its own that no server would know", async () => {
    const { code, stderr } = await countersign(["token", "--as", "approver"], {
      DATA_DIR: path.join(dataDir, "other"),
    });
    expect(stderr).toContain("start the server first");
    expect(code).toBe(exitCodes.USAGE);
  });
});
