import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { exitCodeOf, exitCodes } from "../../src/cli/exit.ts";
import { ConfigurationError } from "../../src/errors.ts";
import { countersign, root } from "./run.ts";

const commands = [
  "serve",
  "check",
  "migrate",
  "token",
  "keys",
  "replay",
  "verify",
  "export",
  "health",
  "search-index",
  "policy",
];

describe("help", () => {
  it("lists every command and every exit code", async () => {
    const { code, stdout } = await countersign(["--help"]);
    expect(code).toBe(exitCodes.OK);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
    for (const exitCode of Object.values(exitCodes)) expect(stdout).toMatch(new RegExp(`^ {2}${exitCode}  \\w`, "m"));
  });

  it.each([
    ["serve", [0, 1, 2, 3]],
    ["check", [0, 1, 2]],
    ["migrate", [0, 1, 2, 3]],
    ["token", [0, 1, 2, 4]],
    ["replay", [0, 1, 2, 3, 4]],
    ["verify", [0, 1, 2, 3, 4]],
    ["export", [0, 1, 2, 3, 4]],
    ["health", [0, 2, 3]],
    ["policy test", [0, 1, 2]],
    ["policy diff", [0, 1, 2]],
    ["policy simulate", [0, 1, 2, 3, 4]],
    ["policy publish", [0, 1, 2, 3, 4]],
  ])("of %s gives examples and the exit codes it ends with: %j", async (command, ends) => {
    const { code, stdout } = await countersign([...command.split(" "), "--help"]);
    expect(code).toBe(exitCodes.OK);
    expect(stdout).toContain(`Examples:\n  `);
    const [, codes = ""] = stdout.split("\nExit codes:\n");
    expect([...codes.matchAll(/^ {2}(\d) {2}\w/gm)].map(([, digit]) => Number(digit))).toEqual(ends);
    // Only these two have a verdict.
    expect(codes.includes("INTACT")).toBe(["verify", "replay"].includes(command));
  });

  it("names the commands that the README describes", () => {
    const readme = readFileSync(path.join(root, "README.md"), "utf8");
    for (const command of commands) expect(readme).toContain(`countersign ${command}`);
  });
});

describe("wrong usage", () => {
  it.each([
    [["frobnicate"], "unknown command"],
    [["token", "--as", "nobody"], "Allowed choices are agent, member"],
    [["token"], "required option '--as <principal>'"],
    [["serve", "--port", "70000"], "a whole number from 0 to 65535"],
    [["verify", "--from", "0"], "a ledger position"],
    [["verify", "--ledger", "acme"], "acme/eu"],
    [["health", "--url", "nowhere"], "an http or https address"],
    [["replay"], "missing required argument 'traces'"],
    [["replay", "no-such-file.jsonl"], "no-such-file.jsonl"],
    [["policy", "publish", "policy.yaml"], "required option '--note <text>'"],
    [["policy", "publish", "policy.yaml", "--note", "a", "--hash", "abc"], "64 hex digits"],
    [["policy", "simulate", "policy.yaml", "--days", "91"], "a whole number from 1 to 90"],
  ])("%j ends with 2 and prints why", async (args, message) => {
    const { code, stdout, stderr } = await countersign(args);
    expect(stderr).toContain(message);
    expect(stdout).toBe("");
    expect(code).toBe(exitCodes.USAGE);
  });

  it("in the environment is named by variable", async () => {
    const { code, stderr } = await countersign(["token", "--as", "agent"], { APPROVAL_TTL: "soon" });
    expect(stderr).toContain("APPROVAL_TTL");
    expect(code).toBe(exitCodes.USAGE);
  });
});

describe("a Node that is too old", () => {
  it("gets a message with the remedy, without a stack", async () => {
    const old =
      "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.11.1'}})";
    const { code, stdout, stderr } = await countersign(["verify"], { NODE_OPTIONS: `--import="${old}"` });
    expect(stderr).toBe(
      "countersign: this is Node 20.11.1, and Countersign needs Node 24 or newer. The project brings its own: run `npm ci`, " +
        "then `npm start` or `npx countersign`.\n",
    );
    expect(stdout).toBe("");
    expect(code).toBe(exitCodes.USAGE);
  });

  it("is older than what package.json asks for", () => {
    const { engines } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
    const launcher = readFileSync(path.join(root, "src/cli/countersign.js"), "utf8");
    expect(engines.node).toBe(`>=${/const oldest = (\d+);/.exec(launcher)?.[1]}`);
  });
});

describe("exitCodeOf", () => {
  it("distinguishes settings, unreachable peers and failures", () => {
    expect(exitCodeOf(new ConfigurationError("bad settings"))).toBe(exitCodes.USAGE);
    expect(exitCodeOf(Object.assign(new Error("connect"), { code: "ECONNREFUSED" }))).toBe(exitCodes.UNREACHABLE);
    expect(exitCodeOf(new Error("anything else"))).toBe(exitCodes.FAILED);
  });
});

describe("a database that cannot be reached", () => {
  it("is named with its setting, and its password is not", async () => {
    const environment = { DATABASE_URL: "postgres://me:hunter2@127.0.0.1:1/none", LOG_LEVEL: "silent" };
    const { code, stderr } = await countersign(["migrate"], environment);
    expect(stderr).toMatch(/the database cannot be reached, because nothing listens there .*: correct DATABASE_URL/);
    expect(stderr).not.toContain("hunter2");
    expect(code).toBe(exitCodes.UNREACHABLE);
  });
});
