import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { buildSchema, getOperationAST, getVariableValues, parse, validate } from "graphql";
import { describe, expect, it } from "vitest";
import { z } from "zod";

const root = path.resolve(import.meta.dirname, "..");
const read = (file: string) => readFileSync(path.join(root, file), "utf8");
const readme = read("README.md");

/** Name and default of each setting that src/config.ts declares. */
const declared = new Map(
  [...read("src/config.ts").matchAll(/^ {2}([A-Z][A-Z_]+): z([\s\S]*?),\n(?= {2}[A-Z]|\}\))/gm)].map((match) => [
    match[1]!,
    /\.default\("?([^")]*)"?\)/.exec(match[2]!)?.[1]?.replaceAll("_", ""),
  ]),
);

describe("README", () => {
  it("describes every setting there is, with its default", () => {
    const rows = readme.matchAll(/^\| `([A-Z_]+)` \| ([^|]+) \|/gm);
    const described = new Map([...rows].map((match) => [match[1]!, match[2]!.trim()]));
    expect([...described.keys()].sort()).toEqual([...declared.keys()].sort());
    for (const [name, value] of declared) {
      if (value !== undefined && value !== "") expect(described.get(name), name).toBe(`\`${value}\``);
    }
  });

  it("sends a request that the schema accepts", () => {
    const body = /curl [\s\S]*? -d '(\{[\s\S]*?\})'\n/.exec(readme)?.[1] ?? "";
    const { query, variables } = z
      .object({ query: z.string(), variables: z.record(z.string(), z.unknown()) })
      .parse(JSON.parse(body));
    const schema = buildSchema(read("schema/schema.graphql"));
    const document = parse(query);
    expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
    const definitions = getOperationAST(document)?.variableDefinitions ?? [];
    expect(definitions.length).toBeGreaterThan(0);
    expect(getVariableValues(schema, definitions, variables)).toHaveProperty("variableValues");
  });

  it("names npm scripts that exist", () => {
    const { scripts } = z.object({ scripts: z.record(z.string(), z.string()) }).parse(JSON.parse(read("package.json")));
    const named = [...readme.matchAll(/(?:^|`|&& )npm (?:run )?([a-z]+(?::[a-z]+)?)/gm)].map((match) => match[1]!);
    expect(named).toEqual(expect.arrayContaining(["start", "test", "demo"]));
    expect(named.filter((name) => !(name in scripts) && name !== "ci")).toEqual([]);
  });

  it.each(["README.md", "clients/demo/README.md", "test/bench/README.md"])("%s links to files that exist", (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1]!);
    expect(links.filter((link) => !existsSync(path.join(root, path.dirname(file), link)))).toEqual([]);
  });
});
