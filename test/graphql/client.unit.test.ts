import { isObjectType } from "graphql";
import { describe, expect, it } from "vitest";
import { CLIENT_RULES } from "../../src/domain/identity/clients/rules.ts";
import type { JsonObject } from "../../src/facts/canonical.ts";
import type { LedgerEntry } from "../../src/facts/entry.ts";
import { recordedClient } from "../../src/graphql/directory/principal.ts";
import { schema } from "../../src/graphql/schema.ts";

const entryOf = (body: JsonObject): LedgerEntry => ({
  ledger: "acme/eu",
  seq: 2n,
  recordedAt: "2026-11-22T23:45:27.499390Z",
  entry: "",
  hash: "",
  prevHash: "",
  type: "AUDIT_READ",
  body,
  payload: undefined,
});

describe("ClientIdentity", () => {
  it("returns the surface of a client and the rules that identified it", async () => {
    const type = schema.getType("ClientIdentity");
    if (!isObjectType(type)) throw new Error("there is no such type");
    const fields = Object.entries(type.getFields()).map(([name, field]) => [name, String(field.type)]);
    expect(Object.fromEntries(fields)).toMatchObject({ surface: "String", rules: "Hash" });
    const recorded = {
      name: "claude-code",
      version: "2.1.66",
      surface: "vscode",
      confidence: "HEADER",
      modelConfidence: "UNKNOWN",
      evidence: { "user-agent": "claude-code/2.1.66 (claude-vscode)" },
      rules: CLIENT_RULES.hash,
    };
    expect(recordedClient(entryOf({ client: recorded }))).toEqual(recorded);
  });

  it("leaves out what an older entry did not record", () => {
    const recorded = { name: "curl", confidence: "HEADER", modelConfidence: "UNKNOWN" };
    expect(recordedClient(entryOf({ client: recorded }))).toEqual({ ...recorded, evidence: {} });
    expect(recordedClient(entryOf({}))).toBeUndefined();
  });
});
