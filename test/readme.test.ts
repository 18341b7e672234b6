import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";

const root = path.resolve(import.meta.dirname, "..");
const read = (file: string) => readFileSync(path.join(root, file), "utf8");
const readme = read("README.md");

interface Declared {
  /** As the README writes it; undefined: none, or one that needs words. */
  readonly value: string | undefined;
  readonly range: string;
}

/** What src/config.ts declares, by name of the setting. */
const declared = new Map<string, Declared>(
  [...read("src/config.ts").matchAll(/^ {2}([A-Z][A-Z_]+): ([\s\S]*?),\n(?= {2}[A-Z]|\}\))/gm)].map((match) => {
    const text = match[2]!.replaceAll("_", "").replace(/(\d+) \* DAY/, (_, days) => String(Number(days) * 86_400));
    const [, value] = /(?:default[:(] ?"?|\], ")([^"),]+)/.exec(text) ?? [];
    const [, from, to] = /from: ([\d.]+), to: (\d+)/.exec(text) ?? [];
    const [, unit = text.includes("econds(") || text.startsWith("duration") ? "s" : ""] =
      /unit: "(\w+)"/.exec(text) ?? [];
    return [match[1]!, { value, range: from === undefined ? "" : `${from} to ${to} ${unit}`.trim() }];
  }),
);

describe("README", () => {
  it("describes every setting there is, with its default and its range", () => {
    const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| ([^|]+) \| ([^|]*)\|/gm)];
    const described = new Map(
      rows.map(([, name = "", value = "", range = ""]) => [name, [value.trim(), range.trim()]]),
    );
    expect([...described.keys()].sort()).toEqual([...declared.keys()].sort());
    for (const [name, { value, range }] of declared) {
      expect(described.get(name)?.[1], name).toBe(range);
      if (value !== undefined) expect(described.get(name)?.[0], name).toBe(`\`${value}\``);
    }
  });

  it("names npm scripts that exist", () => {
    const { scripts } = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(read("package.json")));
    const named = [...readme.matchAll(/(?:^|`|&& )npm (?:run )?([a-z]+(?::[a-z]+)?)/gm)].map((match) => match[1]!);
    expect(named).toEqual(expect.arrayContaining(["start", "test", "demo"]));
    expect(named.filter((name) => !(name in scripts) && name !== "ci")).toEqual([]);
  });

  const blocks = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);

  it("calls the command line in one way", () => {
    const calls = blocks.flatMap((text) =>
      [...text.matchAll(/(\S+) countersign (?=[a-z])/g)].map(([, before]) => before),
    );
    expect(calls.length).toBeGreaterThan(5);
    expect(calls.filter((before) => !/(?:^|\()npx$/.test(before ?? ""))).toEqual([]);
  });

  it("gives no variable another meaning further down", () => {
    const set = blocks.flatMap((text) => [...text.matchAll(/^(\w+)=\$\(/gm)].map(([, name]) => name));
    expect(set).toEqual(expect.arrayContaining(["AGENT", "APPROVER", "BOT"]));
    expect(set).toEqual([...new Set(set)]);
  });

  it("defines its terms before the first command", () => {
    expect(readme.indexOf("## Glossary")).toBeLessThan(readme.indexOf("```sh"));
  });

  it.each(["README.md", "clients/demo/README.md", "test/bench/README.md"])("%s links to files that exist", (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1]!);
    expect(links.filter((link) => !existsSync(path.join(root, path.dirname(file), link)))).toEqual([]);
  });
});
