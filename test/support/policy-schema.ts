import { z } from "zod";
import { policySchema } from "../../src/domain/policy/document/schema.ts";

/** JSON Schema 2020-12 of policy documents, for editors; conditions and references are checked by `countersign policy test`. */
export function policySchemaText(): string {
  const schema = z.toJSONSchema(policySchema, { io: "input" });
  return `${JSON.stringify({ $id: "policy.schema.json", title: "Countersign policy document", ...schema }, null, 2)}\n`;
}
