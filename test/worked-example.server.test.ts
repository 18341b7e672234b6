import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import { root } from "./cli/run.ts";
import { apply, blocksOf, changed } from "./support/worked-example.ts";

const readme = await readFile(path.join(root, "src/README.md"), "utf8");

describe("a block that changes a file", () => {
  it("puts lines where its other lines stand, and takes the place of those it removes", () => {
    expect(changed("a\nb\nc\n", " b\n+x\n")).toBe("a\nb\nx\nc\n");
    expect(changed("a\nb\nc\n", "-b\n+x $& y\n@@\n+w\n a\n")).toBe("w\na\nx $& y\nc\n");
  });

  it("is refused where its lines do not stand once", () => {
    expect(() => changed("a\nb\n", " c\n+x\n")).toThrow(/0 times/);
    expect(() => changed("a\nb\na\n", " a\n+x\n")).toThrow(/2 times/);
    expect(() => changed("a\n", "+x\n")).toThrow(/not once/);
  });
});

describe("the worked example of src/README.md", () => {
  let copy: string;

  beforeAll(async () => {
    copy = await mkdtemp(path.join(tmpdir(), "countersign-example-"));
    const left = new Set([".data", ".git", "node_modules"].map((name) => path.join(root, name)));
    await cp(root, copy, { recursive: true, filter: (from) => !left.has(from) });
    await symlink(path.join(root, "node_modules"), path.join(copy, "node_modules"));
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  it("says of every block of code where it belongs", () => {
    const languages = [...readme.matchAll(/^```(\w*)(.*)$/gm)].filter(([line]) => line !== "```");
    const unnamed = languages.filter(([, language, file]) => language !== "sh" && !/^ \S+$/.test(file ?? ""));
    expect(languages.length).toBeGreaterThan(20);
    expect(unnamed).toEqual([]);
  });

  it("compiles, is as the linter wants it, and passes its tests, by the commands it names", async () => {
    const migrations = globSync("sql/*.sql", { cwd: root }).length;
    const next = String(migrations + 1).padStart(2, "0");
    const blocks = blocksOf(readme).map(({ file, text, ...block }) => ({
      ...block,
      file: file.replace("NN", next),
      text: text.replace("0000NN", `0000${next}`),
    }));
    for (const block of blocks) await apply(copy, block);
    const [commands = ""] = [...readme.matchAll(/(?<!-->\n)^```sh\n([\s\S]*?)^```$/gm)].map(([, script]) => script);
    expect(commands).toContain("npm run check");
    const { code, said } = await run(commands, copy);
    expect(said, said).toMatch(/ passed/);
    expect(code, said).toBe(0);
    // The commands include the linter's corrections: there is nothing to correct.
    for (const { file, text } of blocks.filter(({ language }) => language !== "diff")) {
      expect(await readFile(path.join(copy, file), "utf8"), file).toBe(text);
    }
  }, 600_000);
});

/** Runs `script` in `folder` to its first failure, with the database of this run and without the settings of its runner. */
async function run(script: string, folder: string): Promise<{ readonly code: unknown; readonly said: string }> {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|VITE_|TEST|NODE_ENV$|DEV$|PROD$|MODE$|SSR$)/.test(name),
  );
  const child = spawn("bash", ["--noprofile", "--norc", "-e"], {
    cwd: folder,
    env: { ...Object.fromEntries(kept), TEST_DATABASE_URL: inject("postgresUrl"), NO_COLOR: "1" },
    // A group of its own, so that nothing it started outlives a test that was given up.
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
  });
  child.stdin.end(`exec 2>&1\n${script}`);
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return { code, said };
}
