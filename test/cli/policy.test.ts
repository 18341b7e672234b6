import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exitCodes } from "../../src/cli/exit.ts";
import { countersign } from "./run.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "countersign-policy-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function test(content: string | Uint8Array) {
  const file = path.join(folder, "policy.yaml");
  await writeFile(file, content);
  return countersign(["policy", "test", file]);
}

const POLICY = `policy: 1
catalog:
  platforms: { vouchers: { region: us } }
  tools: [{ platform: vouchers, name: send, effect: WRITE }]
rules:
  - id: large
    when: args.amount > 200
    require: [{ group: approvers, needed: 2 }]
    reason: Vouchers over 200 need two people.
  - { id: small, when: args.amount <= 200, permit: true, reason: Small vouchers are sent. }
cases:
  - name: a large voucher
    given: { platform: vouchers, tool: send, arguments: { amount: 300 } }
    expect: { outcome: REQUIRE, rules: [large], requirements: [{ group: approvers, needed: 2 }] }
  - name: a small voucher
    given: { platform: vouchers, tool: send, arguments: { amount: 200 } }
    expect: { outcome: PERMIT }
`;

describe("policy test", () => {
  it("passes a document whose cases pass", async () => {
    const { code, stdout, stderr } = await test(POLICY);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^sha256:[0-9a-f]{64}: 2 cases passed, 0 failed, 0 rules untested\n$/);
    expect(code).toBe(exitCodes.OK);
  });

  it("prints cases that fail and rules that have none", async () => {
    const { code, stdout } = await test(POLICY.replace("amount: 200 }", "amount: 201 }"));
    expect(stdout).toContain("failed: a small voucher: the outcome is REQUIRE, by large, not PERMIT\n");
    expect(stdout).toContain("untested: rule small matches in no case\n");
    expect(code).toBe(exitCodes.FAILED);
  });

  it("prints problems of the document with line and column", async () => {
    const { code, stdout } = await test(POLICY.replace("args.amount > 200", "amount > 200"));
    expect(stdout).toMatch(/^rules\.0\.when at line 7, column 11: there is no variable amount/);
    expect(code).toBe(exitCodes.USAGE);
  });

  it("refuses what is no text, and files that are not there", async () => {
    expect((await test(new Uint8Array([0xff, 0xfe]))).code).toBe(exitCodes.USAGE);
    expect((await countersign(["policy", "test", path.join(folder, "none")])).code).toBe(exitCodes.USAGE);
    expect((await countersign(["policy", "test"])).code).toBe(exitCodes.USAGE);
  });

  it("refuses what has no end", async () => {
    const { code, stderr } = await countersign(["policy", "test", "/dev/zero"]);
    expect(stderr).toContain("/dev/zero cannot be read as text in UTF-8: it is too long for a policy document");
    expect(code).toBe(exitCodes.USAGE);
  });
});

describe("policy diff", () => {
  async function diff(before: string, after: string) {
    const files = [path.join(folder, "old.yaml"), path.join(folder, "new.yaml")] as const;
    await Promise.all([writeFile(files[0], before), writeFile(files[1], after)]);
    return countersign(["policy", "diff", ...files]);
  }

  it("prints nothing for documents that say the same", async () => {
    const { code, stdout } = await diff(POLICY, `# A comment\n${POLICY}`);
    expect({ code, stdout }).toEqual({ code: exitCodes.OK, stdout: "" });
  });

  it("prints what differs, what loosens the policy first", async () => {
    const after = POLICY.replace("<= 200, permit: true", "<= 200, forbid: true").replace("needed: 2", "needed: 1");
    const { code, stdout } = await diff(POLICY, after);
    expect(stdout).toBe("loosens: rule large: 2 → 1 of approvers\nrule small: PERMIT → FORBID\n");
    expect(code).toBe(exitCodes.FAILED);
  });

  it("refuses what is no policy document, with line and column", async () => {
    const { code, stdout } = await diff(POLICY, POLICY.replace("policy: 1", "policy: 2"));
    expect(stdout).toMatch(/^policy at line 1, column 9/);
    expect(code).toBe(exitCodes.USAGE);
  });
});

describe("policy starter", () => {
  it("prints a document that passes the test", async () => {
    const { code, stdout } = await countersign(["policy", "starter"]);
    expect(code).toBe(exitCodes.OK);
    expect((await test(stdout)).stdout).toMatch(/: 2 cases passed, 0 failed, 0 rules untested\n$/);
  });
});
