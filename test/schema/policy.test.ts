import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { policySchemaText } from "../support/policy-schema.ts";

it("schema/policy.schema.json is what the code reads (npm run schema:policy)", () => {
  const file = new URL("../../schema/policy.schema.json", import.meta.url);
  expect(readFileSync(file, "utf8")).toBe(policySchemaText());
});
