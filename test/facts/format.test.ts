import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { z } from "zod";
import { VOCABULARY } from "../../src/facts/registry.ts";
import { FORMAT_FILE, renderFormat } from "./format.ts";

it("says of facts that permit by the value of a member a value that the member can have", () => {
  const conditions = [...VOCABULARY.facts.values()].flatMap(({ type, members, permits }) =>
    typeof permits === "object" ? [[type, members as z.ZodRawShape, permits] as const] : [],
  );
  expect(conditions.map(([type]) => type)).toEqual(["ACTION_PROPOSED"]);
  for (const [type, members, { where, is }] of conditions) {
    const member = where.split(".").reduce<unknown>((schema, key) => {
      return schema instanceof z.ZodObject ? schema.shape[key] : undefined;
    }, z.object(members));
    expect(member instanceof z.ZodEnum && member.options, `${type}: ${where}`).toContain(is);
  }
});

it("FORMAT.md agrees with the definitions and the vectors (npm run schema:format)", async () => {
  const text = await readFile(FORMAT_FILE, "utf8");
  expect(text).toBe(await renderFormat());
  for (const type of VOCABULARY.facts.keys()) expect(text).toContain(`#### \`${type}\``);
  for (const kind of VOCABULARY.states.keys()) expect(text).toContain(`#### \`${kind}\``);
});
