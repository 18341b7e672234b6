import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Environment, root } from "./cli/run.ts";
import { type Serving, startServing } from "./cli/serving.ts";
import { makeDataDir } from "./support/server.ts";

const readme = readFileSync(path.join(root, "README.md"), "utf8");

interface ShellBlock {
  readonly text: string;
  /** Why a test does not run it; undefined: it does. */
  readonly notRun: string | undefined;
}

const shellBlocks: readonly ShellBlock[] = [
  ...readme.matchAll(/(?:<!-- not run: ([^>]+) -->\n)?^```sh\n([\s\S]*?)^```$/gm),
].map(([, notRun, text = ""]) => ({ text, notRun }));

describe("the shell blocks of the README", () => {
  it("run, but for the few that say why not", () => {
    expect(
      shellBlocks.filter(({ notRun }) => notRun !== undefined).map(({ text }) => text.split("#")[0]?.trim()),
    ).toEqual(["npm ci && npm start", "npm ci && npm test"]);
    // Every block is marked as one: what is indented or has no language would not be run.
    expect([...readme.matchAll(/^```(\w*)$/gm)].map(([, name]) => name).filter((name) => name !== "")).toEqual(
      [...readme.matchAll(/^```(sh|json|mermaid)$/gm)].map(([, name]) => name),
    );
  });

  describe("pasted one after the other", () => {
    let said: readonly string[];
    let serving: Serving | undefined;
    let folder: string | undefined;

    beforeAll(async () => {
      folder = await makeDataDir();
      serving = await startServing([], { DATABASE_URL: "" });
      said = await paste(runnable, { ...serving.environment, ...quiet }, await placesOf(serving, folder));
    }, 300_000);
    afterAll(async () => {
      await serving?.close();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    const runnable = shellBlocks.filter(({ notRun }) => notRun === undefined).map(({ text }) => text);
    /** What each block has to print, in order. */
    const outcomes: readonly (readonly [block: string, ...printed: RegExp[]])[] = [
      ["export PATH", /replay 63\/63/, /^INTACT$/m],
      ["export URL"],
      ["PROPOSED=", /"status":"PENDING"/, /"digest":"sha256:[0-9a-f]{64}"/, /"userErrors":\[\]/],
      ['ask "$APPROVER"', /cancel_reservation/, /"status":"APPROVED"/, /"userErrors":\[\]/],
      ["GRANT=", /"status":"EXECUTING".*"userErrors":\[\]/, /"status":"SUCCEEDED".*"userErrors":\[\]/],
      ["both()", /"results":\[\{"action":\{"tool":"get_reservation_details","status":"ALLOWED"\}.*"status":"ALLOWED"/],
      ["decision()", /"results":\[\{"action":\{"status":"APPROVED"\}.*"status":"DENIED"\}/],
      [
        "LIST=",
        /"nodes":\[.*\],"asOf":\[\{"ledger":"acme\/eu","seq":"\d+"\}\]/,
        /"status":"PENDING"/,
        /^event: next\ndata: .*"change":"ADDED","action":\{.*"cancel_reservation"/m,
      ],
      ["TOKEN=$APPROVER", /("change":"ADDED","action":\{.*"cancel_reservation"[\s\S]*){2}/],
      ["npx countersign token", /^[\w-]+\.[\w-]+\.[\w-]+$/m],
      ["npx countersign export", /^([0-9a-f]{64}) {2}-\n[\s\S]*^"prevHash":"\1"$/m],
      [
        "npx countersign export --format",
        /^\{"eventType":"START",.*"runId":"[\s\S]*^\{"eventType":/m,
        /^\{"prefix":\{.*"entity":\{/m,
      ],
      ["ADMIN=", /"path":"\/channels\/slack\/acme\/approvals"\},"userErrors":\[\]/],
      ['ask "$APPROVER"', /"code":"[\w.-]+","expiresAt":"[^"]+","userErrors":\[\]/],
      ['ask "$ADMIN"', /"userErrors":\[\]/],
      [
        "npx countersign policy starter",
        /: 2 cases passed, 0 failed, 0 rules untested$/m,
        /1 → 2 of approvers$/m,
        /^exit code 1, because they differ$/m,
        /^\d+ actions evaluated, [1-9]\d* would change$/m,
        /^Proposed as version 2 of the policy, sha256:[0-9a-f]{64}\.$/m,
      ],
      ["ADMIN2=", /"status":"SUCCEEDED"\},"userErrors":\[\]/, /"version":2,.*"state":"ACTIVE"/],
      ["mkdir -p", /Redirect URI to register[\s\S]*\/auth\/callback {3}for client countersign-console/, /\/readyz ok/],
      [
        "MIA=",
        /"act": \{\s+"sub": "support-bot"/,
        /"id":"support-bot","kind":"AGENT","onBehalfOf":\{"id":"mia","kind":"HUMAN"\}/,
      ],
      ["AGENT=$BOT", /"status":"PENDING"/, /"userErrors":\[\]/],
      ["kill"],
      [
        "(",
        /^INTACT$/m,
        /refused: oc_audit_log is append-only/,
        /changed one letter of entry \d+ of acme\/eu: "id":"approver2?" is now "id":"Approver2?"/,
        /^CONTENT_MISMATCH$/m,
        /UNGUARDED/,
      ],
    ];

    it("are the blocks this test knows", () => {
      expect(runnable.map((text, at) => text.startsWith(outcomes[at]?.[0] ?? "?"))).toEqual(outcomes.map(() => true));
    });

    it.each(outcomes.map(([block, ...printed], at) => ({ block, printed, at })))("$at: $block", ({ printed, at }) => {
      for (const pattern of printed) expect(said[at]).toMatch(pattern);
      expect(said[at]).not.toMatch(/command not found|syntax error|"errors":/);
    });

    it("print the claims that the README shows, in the same order", () => {
      const [, shown = ""] = /^```json\n(\{\n {2}"name"[\s\S]*?)^```$/m.exec(readme) ?? [];
      const printed = said[outcomes.findIndex(([block]) => block === "MIA=")] ?? "";
      const claims: unknown = JSON.parse(printed.slice(printed.indexOf("{\n"), printed.indexOf("\n}\n") + 3));
      expect(Object.keys(Object(claims))).toEqual(Object.keys(JSON.parse(shown)));
      const described = [...readme.matchAll(/^\| (`[^|]+) \| [^|]+ \|$/gm)].flatMap(([, names = ""]) =>
        [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
      );
      expect(described).toEqual(expect.arrayContaining(Object.keys(JSON.parse(shown))));
    });
  });
});

/** npm says what it runs, and looks for news of itself. */
const quiet = { npm_config_loglevel: "silent", npm_config_update_notifier: "false" };

/** What the README names, and what it has to be for a test: ports that are free, and a folder that is removed. */
async function placesOf(serving: Serving, folder: string): Promise<ReadonlyMap<RegExp, string>> {
  const ports = await Promise.all([4100, 4200, 4400].map(async (port) => [port, await freePort()] as const));
  return new Map([
    [/\.data\//g, `${folder}/`],
    [/\b4000\b/g, new URL(serving.url).port],
    [/\btimeout 10\b/g, "timeout 6"],
    ...ports.map(([named, free]) => [new RegExp(`\\b${named}\\b`, "g"), String(free)] as const),
  ]);
}

/** Pastes blocks into one bash, and returns what each of them printed. */
async function paste(blocks: readonly string[], environment: Environment, places: ReadonlyMap<RegExp, string>) {
  const mark = "-- next block --";
  const script = blocks.map((text) => [...places].reduce((changed, [from, to]) => changed.replaceAll(from, to), text));
  const child = spawn("bash", ["--noprofile", "--norc"], {
    cwd: root,
    env: { ...process.env, ...environment },
    // A group of its own, so that nothing a block leaves behind outlives it.
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(`exec 2>&1\n${script.join(`\necho "${mark}"\n`)}`);
  try {
    return (await text(child.stdout)).split(`${mark}\n`);
  } finally {
    if (child.pid !== undefined) endGroup(child.pid);
  }
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGTERM");
  } catch (error) {
    // Nothing is left of it, as it should be.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
