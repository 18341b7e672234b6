import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { serveApi } from "../http/served-api.ts";
import { propose, READ } from "./steps.ts";

const { api } = serveApi();

interface Payload {
  readonly userErrors: readonly { readonly code: string; readonly path: readonly string[]; readonly message: string }[];
}

async function refusalsOf(mutation: string, type: string, input: object, as: "agent" | "admin") {
  const query = `mutation($input:${type}!){${mutation}(input:$input){userErrors{code path message}}}`;
  const { data } = await api.gql<Record<string, Payload>>(query, { input }, { as });
  return data?.[mutation]?.userErrors;
}

describe("a name that looks like another one", () => {
  it.each(["platform", "tool", "conversationId", "targetRegion"])("is refused as %s of a proposal", async (member) => {
    const { userErrors } = await propose(api, { ...READ, [member]: "crm\u200b" });
    expect(userErrors).toMatchObject([
      { code: "INVALID_INPUT", path: ["input", member], message: expect.stringContaining("U+200B as character 4") },
    ]);
  });

  it.each([
    ["startSession", "StartSessionInput", { conversationId: "c\u0336" }, "agent", "conversationId"],
    [
      "inviteAgent",
      "InviteAgentInput",
      { agentId: randomUUID(), displayName: "Agent 1\u0336", ownerId: "admin" },
      "admin",
      "displayName",
    ],
    [
      "inviteAgent",
      "InviteAgentInput",
      { agentId: "a\u2060b", displayName: "Agent", ownerId: "admin" },
      "admin",
      "agentId",
    ],
    [
      "inviteAgent",
      "InviteAgentInput",
      { agentId: "a", displayName: "A", ownerId: "admin", platforms: ["cr\u0301m"] },
      "admin",
      "platforms",
    ],
  ] as const)("is refused by %s (%s %j)", async (mutation, type, input, as, member) => {
    expect(await refusalsOf(mutation, type, input, as)).toMatchObject([
      { code: "INVALID_INPUT", path: ["input", member], message: expect.stringMatching(/must |leave it out/) },
    ]);
  });
});
