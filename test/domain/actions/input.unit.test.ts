import { describe, expect, it } from "vitest";
import { actionIdOf } from "../../../src/domain/actions/action-id.ts";
import { digestOf } from "../../../src/domain/actions/digest.ts";
import { ActionRefusal } from "../../../src/domain/actions/errors.ts";
import { checkProposal, MAX_JSON } from "../../../src/domain/actions/input.ts";
import { CanonicalText, canonicalize, type JsonValue } from "../../../src/facts/canonical.ts";
import { hashText } from "../../../src/facts/hash.ts";
import { agent, approver, read } from "../support.ts";

const nested = (depth: number): JsonValue => JSON.parse("[".repeat(depth) + "]".repeat(depth)) as JsonValue;

function pathOf(more: Parameters<typeof read>[0]): readonly string[] | undefined {
  try {
    checkProposal(read(more));
    return undefined;
  } catch (error) {
    if (error instanceof ActionRefusal && error.code === "INVALID_INPUT") return error.path;
    throw error;
  }
}

describe("checkProposal", () => {
  it.each([
    ["a key that is no UUID", { idempotencyKey: "1" }, ["idempotencyKey"]],
    [
      "a key in the form of a UUID, of no version there is",
      { idempotencyKey: "018f0000-0000-9000-8000-000000000000" },
      ["idempotencyKey"],
    ],
    ["an empty tool", { tool: "" }, ["tool"]],
    ["a long tool", { tool: "x".repeat(201) }, ["tool"]],
    ["a lone surrogate in a name", { tool: "a\ud800" }, ["tool"]],
    ["NUL in a name", { platform: "a\0" }, ["platform"]],
    ["a long conversation", { conversationId: "x".repeat(201) }, ["conversationId"]],
    ["an empty target region", { targetRegion: "" }, ["targetRegion"]],
    ["a long request", { userRequest: "x".repeat(100_001) }, ["userRequest"]],
    ["NUL in a text", { rationale: "\0" }, ["rationale"]],
    ["a lone surrogate in the arguments", { arguments: { a: [{ b: "\udc00" }] } }, ["arguments", "a", "0", "b"]],
    ["a lone surrogate in a key", { arguments: { "\udc00": 1 } }, ["arguments", "\udc00"]],
    ["NUL in the arguments", { arguments: { a: "\0" } }, ["arguments"]],
    ["NUL in a key of the arguments", { arguments: { "\\\0": 1 } }, ["arguments"]],
    ["a number that is none", { arguments: [Number.NaN] }, ["arguments", "0"]],
    ["large arguments", { arguments: "x".repeat(MAX_JSON) }, ["arguments"]],
    ["large arguments in few characters", { arguments: "字".repeat(MAX_JSON / 2) }, ["arguments"]],
  ])("refuses %s, and reports where", (_, more, path) => {
    expect(pathOf(more)).toEqual(path);
  });

  it("refuses nesting beyond 64, however deep", () => {
    expect(pathOf({ arguments: nested(64) })).toBeUndefined();
    expect(pathOf({ arguments: nested(65) })?.[0]).toBe("arguments");
    expect(pathOf({ arguments: nested(5_000) })?.[0]).toBe("arguments");
  });

  it("takes what only looks odd", () => {
    const texts = ["\\u0000", "\\\\u0000", "__proto__", "\u202e", "\ud83c\udfab", "a\nb"];
    for (const text of texts) expect(pathOf({ rationale: text, arguments: { [text]: text } })).toBeUndefined();
    expect(pathOf({ arguments: "x".repeat(MAX_JSON - 2) })).toBeUndefined();
  });
});

describe("actionIdOf", () => {
  it("is a UUIDv8 out of organization, account, person and key", () => {
    const key = "00000000-0000-4000-8000-00000000000A";
    const id = actionIdOf(agent, key);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(actionIdOf(agent, key.toLowerCase())).toBe(id);
    expect(actionIdOf({ ...agent, organization: "globex" }, key)).not.toBe(id);
    expect(actionIdOf(approver, key)).not.toBe(id);
    const { onBehalfOf: _, ...alone } = agent;
    const ids = [agent, { ...agent, onBehalfOf: approver }, alone].map((caller) => actionIdOf(caller, key));
    expect(new Set(ids).size).toBe(3);
  });
});

describe("digestOf", () => {
  it("is the hash of exactly what it is said to bind", () => {
    const bound = {
      actionId: "id",
      platform: "crm",
      tool: "t",
      arguments: new CanonicalText('{"b":[1,2]}'),
      requestedBy: agent,
      region: "eu",
      policyHash: hashText("policy"),
      rendered: new CanonicalText(canonicalize("what\nis shown")),
    };
    const text =
      '{"actionId":"id","agent":"agent","arguments":{"b":[1,2]},"onBehalfOf":"member","platform":"crm",' +
      `"policyHash":"${hashText("policy")}","region":"eu","rendered":"what\\nis shown","tool":"t","v":1}`;
    expect(digestOf(bound)).toBe(hashText(text));
    const { onBehalfOf: _, ...alone } = agent;
    expect(digestOf({ ...bound, requestedBy: alone })).toBe(hashText(text.replace('"member"', "null")));
  });
});
