import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GENESIS_HASH, type LedgerId, parseEntry } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { type ExportRange, exportLines } from "../../src/ledger/export.ts";
import { readHead } from "../../src/ledger/read.ts";
import { note, openScene, type Scene } from "./scene.ts";

const run = promisify(execFile);
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
let scene: Scene;
let directory: string;

beforeAll(async () => {
  scene = await openScene();
  directory = await mkdtemp(join(tmpdir(), "countersign-export-"));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
  await scene.close();
});

async function lines(ledger: LedgerId, range?: ExportRange): Promise<string[]> {
  const all: string[] = [];
  for await (const line of exportLines(scene.pool, ledger, range)) all.push(line);
  return all;
}

describe("exportLines", () => {
  it("gives lines whose sha256sum is the next line's prevHash, and the last one's the head", async () => {
    const ledger = "shell/eu";
    await scene.ledgers.append(
      ledger,
      note("Ünïcode ☃ 😀 \u2028", { label: 'quote " backslash \\ tab \t line\nfeed é 😀' }),
    );
    await scene.ledgers.append(ledger, note("nul", { arguments: new Erasable({ nul: "\0" }) }));
    await scene.ledgers.append(ledger, note("last"));
    const exported = await lines(ledger);
    const files = await Promise.all(
      exported.map(async (line, index) => {
        const file = join(directory, `${index}.line`);
        await writeFile(file, line);
        return file;
      }),
    );
    const { stdout } = await run("sha256sum", files);
    const sums = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.slice(0, 64));
    const prevHashes = exported.map((line) => parseEntry(line).prevHash);
    expect(prevHashes).toEqual([GENESIS_HASH, ...sums.slice(0, -1)]);
    expect((await readHead(scene.pool, ledger))?.hash).toBe(sums.at(-1));
  });

  it("can be checked line by line with a shell alone", async () => {
    await scene.ledgers.append("pipe/eu", note("one"));
    await scene.ledgers.append("pipe/eu", note("two"));
    const file = join(directory, "ledger.jsonl");
    await writeFile(file, (await lines("pipe/eu")).map((line) => `${line}\n`).join(""));
    const script = `
      expected=${GENESIS_HASH}
      while IFS= read -r line; do
        case "$line" in *"\\"prevHash\\":\\"$expected\\""*) ;; *) echo "broken: $line"; exit 1 ;; esac
        expected=$(printf %s "$line" | sha256sum | cut -c 1-64)
      done < "$1"
      echo "$expected"`;
    const { stdout } = await run("sh", ["-c", script, "sh", file]);
    expect(stdout.trim()).toBe((await readHead(scene.pool, "pipe/eu"))?.hash);
  });

  it("keeps to the range, across batches", async () => {
    const ledger = "range/eu";
    await Promise.all(Array.from({ length: 1_200 }, (_, n) => scene.ledgers.append(ledger, note(`${n}`))));
    const positions = async (range?: ExportRange) =>
      (await lines(ledger, range)).map((line) => Number(parseEntry(line).seq));
    const all = Array.from({ length: 1_201 }, (_, n) => n + 1);
    expect(await positions()).toEqual(all);
    expect(await positions({ fromSeq: 500n, toSeq: 1_100n })).toEqual(all.slice(499, 1_100));
    expect(await positions({ fromSeq: 1_201n })).toEqual([1_201]);
    expect(await positions({ toSeq: 10n ** 30n })).toEqual(all);
    expect(await positions({ fromSeq: -5n, toSeq: 1n })).toEqual([1]);
    expect(await positions({ fromSeq: 7n, toSeq: 6n })).toEqual([]);
    expect(await positions({ fromSeq: 2n ** 64n })).toEqual([]);
    expect(await lines("nobody/eu")).toEqual([]);
  });

  it("ends where the ledger ended when it began", async () => {
    const ledger = "growing/eu";
    await scene.ledgers.append(ledger, note("there"));
    const seen: string[] = [];
    for await (const line of exportLines(scene.pool, ledger)) {
      seen.push(line);
      await scene.ledgers.append(ledger, note("meanwhile"));
    }
    expect(seen).toHaveLength(2);
  });

  it("keeps a few megabytes alive, however long the ledger is", async () => {
    const ledger = "flat/eu";
    const label = "x".repeat(2_000);
    for (let n = 0; n < 30; n++) {
      await Promise.all(Array.from({ length: 500 }, () => scene.ledgers.append(ledger, note("n", { label }))));
    }
    const lively = () => {
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = lively();
    let highest = before;
    let bytes = 0;
    let count = 0;
    for await (const line of exportLines(scene.pool, ledger)) {
      bytes += line.length;
      count += 1;
      if (count % 1_500 === 0) highest = Math.max(highest, lively());
    }
    expect(bytes).toBeGreaterThan(30_000_000);
    expect(highest - before).toBeLessThan(8_000_000);
  });
});
