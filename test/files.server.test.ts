import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { locked, replaceDurably, tryLock } from "../src/files.ts";

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "countersign-files-"));
  file = path.join(directory, "lock");
});
afterEach(() => rm(directory, { recursive: true }));

/** Another process, which holds the lock of `file`. */
async function holder() {
  const module = JSON.stringify(new URL("../src/files.ts", import.meta.url).href);
  const script = `const { tryLock } = await import(${module});
    console.log(tryLock(${JSON.stringify(file)}) === undefined ? "taken" : "held");
    setInterval(() => undefined, 1_000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  return { child, said: String(said).trim() };
}

describe("a lock", () => {
  it("is held by one at a time, in one process as between two", async () => {
    const lock = tryLock(file);
    expect(lock).toBeDefined();
    expect(tryLock(file)).toBeUndefined();
    const other = await holder();
    expect(other.said).toBe("taken");
    other.child.kill("SIGKILL");
    lock?.release();
    const next = tryLock(file);
    expect(next).toBeDefined();
    next?.release();
    next?.release();
  });

  it("is free as soon as the process that held it was killed, and its file means nothing", async () => {
    const other = await holder();
    expect(other.said).toBe("held");
    expect(tryLock(file)).toBeUndefined();
    const order: string[] = [];
    const work = locked(file, async () => order.push("work"));
    order.push("kill");
    other.child.kill("SIGKILL");
    await work;
    expect(order).toEqual(["kill", "work"]);
    expect(await readdir(directory)).toEqual(["lock"]);
  });

  it("admits nobody while work is done, and the next one after work that failed", async () => {
    let inside = 0;
    const work = (fails: boolean) =>
      locked(file, async () => {
        inside += 1;
        expect(inside).toBe(1);
        await turn();
        inside -= 1;
        if (fails) throw new Error("failed");
      });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, at) => work(at % 2 === 1)));
    expect(outcomes.map(({ status }) => status)).toEqual(
      Array.from({ length: 20 }, (_, at) => (at % 2 === 1 ? "rejected" : "fulfilled")),
    );
    expect(outcomes[1]).toMatchObject({ reason: { message: "failed" } });
  });

  it("that cannot be acquired is distinguished from one that is held", async () => {
    expect(() => tryLock(path.join(directory, "missing", "lock"))).toThrow("unable to open");
    await writeFile(file, "not one of ours, and long enough to be looked at ".repeat(30));
    expect(() => tryLock(file)).toThrow("not a database");
  });
});

describe("replaceDurably", () => {
  it("replaces all of a file, readable by its owner alone, and leaves nothing beside it", async () => {
    const target = path.join(directory, "secret.json");
    await writeFile(`${target}.new`, "what a killed process left, longer than what comes now");
    for (const text of ["first", "1"]) {
      await replaceDurably(target, text);
      expect(await readFile(target, "utf8")).toBe(text);
    }
    expect((await stat(target)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(["secret.json"]);
  });
});
