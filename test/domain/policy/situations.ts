import { type CompiledPolicy, compilePolicy } from "../../../src/domain/policy/compile.ts";
import type { Situation } from "../../../src/domain/policy/conditions/variables.ts";
import { readPolicy } from "../../../src/domain/policy/document/read.ts";

const CATALOG = `
policy: 1
catalog:
  platforms:
    crm: { region: eu }
    vouchers: { region: us }
  tools:
    - { platform: crm, name: get_user, effect: READ, data: [personal] }
    - { platform: crm, name: delete_user, effect: WRITE, data: [personal], required: [id] }
    - { platform: vouchers, name: send, effect: WRITE }
`;

/** A policy with these rules, in YAML, and two platforms; `more` are further members of the document. */
export function policyOf(rules: string, more = ""): CompiledPolicy {
  return compilePolicy(readPolicy(`${CATALOG}${more}rules:\n${rules === "" ? "  []" : rules}\n`));
}

/** An agent of somebody sends a voucher, but for what `changed` says. */
export function situation(changed: Partial<Situation> = {}): Situation {
  return {
    principal: { id: "agent", kind: "AGENT", roles: ["agent"], groups: [] },
    person: { id: "member", roles: ["member"], groups: ["support"] },
    client: { name: "claude-code", confidence: "HEADER", model: undefined, modelConfidence: "UNKNOWN" },
    platform: "vouchers",
    tool: "send",
    arguments: { amount: 300, to: "a@b.example", items: [{ price: 10 }, { price: 250 }] },
    targetRegion: undefined,
    now: new Date("2026-11-26T23:30:00Z"),
    ...changed,
  };
}
