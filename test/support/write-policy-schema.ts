// Generates schema/policy.schema.json from the code: `npm run schema:policy`.
import { writeFile } from "node:fs/promises";
import { policySchemaText } from "./policy-schema.ts";

await writeFile(new URL("../../schema/policy.schema.json", import.meta.url), policySchemaText());
