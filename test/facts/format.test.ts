import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { VOCABULARY } from "../../src/facts/registry.ts";
import { FORMAT_FILE, renderFormat } from "./format.ts";

it("FORMAT.md agrees with the definitions and the vectors (npm run schema:format)", async () => {
  const text = await readFile(FORMAT_FILE, "utf8");
  expect(text).toBe(await renderFormat());
  for (const type of VOCABULARY.facts.keys()) expect(text).toContain(`#### \`${type}\``);
  for (const kind of VOCABULARY.states.keys()) expect(text).toContain(`#### \`${kind}\``);
});
