import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { buildSchema, parse, validate } from "graphql";
import { describe, expect, it } from "vitest";
import { root } from "./run.ts";

const read = (file: string) => readFileSync(path.join(root, file), "utf8");
const schema = buildSchema(read("schema/schema.graphql"));

/** Every GraphQL document that a source writes out, by the name of its operation. */
function documentsOf(source: string): readonly (readonly [string, string])[] {
  const written = /(?<quote>[`"])(?<document>(?:query|mutation|subscription) (?<name>\w+)[^`"]*)\k<quote>/g;
  return [...source.matchAll(written)].map(({ groups }) => [groups?.name ?? "", groups?.document ?? ""]);
}

const documents = globSync("src/cli/**/*.ts", { cwd: root }).flatMap((file) => documentsOf(read(file)));

describe("what the command line asks", () => {
  it("is found wherever it is written", () => {
    expect(documents.map(([name]) => name)).toEqual(
      expect.arrayContaining(["Propose", "FollowPending", "ReadHead", "ReadPage", "Verify"]),
    );
  });

  it.each(documents)("%s is valid against schema/schema.graphql", (_name, document) => {
    expect(validate(schema, parse(document)).map(({ message }) => message)).toEqual([]);
  });
});
