import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { faultsOf } from "../campaign/tamper/faults.ts";
import { CLASSES } from "../campaign/tamper/manipulation.ts";
import { type Prepared, prepare } from "../campaign/tamper/prepare.ts";
import { run } from "../campaign/tamper/run.ts";
import { CASES } from "../campaign/tamper/table.ts";

/** The short form of `npm run campaign:tamper`: some of its manipulations, with the verdict of each. */
const CHOSEN: Readonly<Record<string, string>> = {
  "entries: the name of an approver changed, and all after it re-hashed": "BAD_SIGNATURE",
  "payloads: the arguments of a pending action changed": "CONTENT_MISMATCH",
  "actions: PENDING to APPROVED": "STATE_MISMATCH",
  "sessions: its deadline moved ten years": "STATE_MISMATCH",
  "directory: a member made an administrator": "STATE_MISMATCH",
  "chains: another platform": "STATE_MISMATCH",
  "evidence files: garbage": "UNVERIFIABLE",
  "functions and settings: oc_check_links that checks nothing": "UNGUARDED",
  "partitions: replaced by a copy without an entry": "SEQUENCE_GAP",
  "clock: an entry dated before the one ahead, re-hashed": "CONTENT_MISMATCH",
  "heads: moved back": "ROLLED_BACK",
  "grants and deadlines: a grant prolonged": "STATE_MISMATCH",
  "forged appends: an approval with the signature of another": "BAD_SIGNATURE",
};
/** These reach all databases of a server, and are done alone. */
const ALONE: Readonly<Record<string, string>> = {
  "rights and roles: roles: oc_owner through another role": "UNGUARDED",
};

let prepared: Prepared;
beforeAll(async () => {
  prepared = await prepare();
});
afterAll(() => prepared?.close());

async function expectFound(name: string, verdict: string): Promise<void> {
  const found = CASES.find((one) => `${one.class}: ${one.name}` === name);
  if (found === undefined) throw new Error("there is no such manipulation");
  const result = await run(found, prepared, { attempts: false, command: false });
  expect(faultsOf(result)).toEqual([]);
  expect(result.outside.verdict).toBe(verdict);
}

describe("manipulations of a running product", () => {
  it("are at least five of each class, and at least 80", () => {
    const counts = CLASSES.map((name) => CASES.filter((one) => one.class === name).length);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(5);
    expect(CASES.length).toBeGreaterThanOrEqual(80);
    expect(new Set(CASES.map(({ class: of, name }) => `${of}: ${name}`)).size).toBe(CASES.length);
  });

  it("that cannot be found are in the README, with the reason, and nothing else is", () => {
    const readme = readFileSync(path.resolve(import.meta.dirname, "../../README.md"), "utf8");
    const [, section = ""] =
      /### What cannot be found without evidence outside the database\n([\s\S]*?)\n## /.exec(readme) ?? [];
    const items = section.split(/\n(?=- |\n)/).filter((item) => item.startsWith("- "));
    const named = items.map((item) => item.slice(2).replaceAll(/\s+/g, " ").trim());
    const reasons = CASES.flatMap(({ undetectable }) => (undetectable === undefined ? [] : [undetectable]));
    expect(named.sort()).toEqual([...new Set(reasons)].sort());
  });

  it.concurrent.each(Object.entries(CHOSEN))("%s: found (%s), noticed, and nothing is recorded", expectFound);

  it.each(Object.entries(ALONE))("%s: found (%s), noticed, and nothing is recorded", expectFound);
});
