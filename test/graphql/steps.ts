import { randomUUID } from "node:crypto";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import type { Api } from "../http/harness.ts";

/** Selections and steps that several tests take. */
export const ACTION = `id uuid status platform tool effect region arguments userRequest rationale rendered digest
  requestedBy{id kind onBehalfOf{id email}} client{name confidence modelConfidence evidence}
  policy{outcome policyHash version matchedRules{ruleId outcome because} requirements{id group needed have}}
  chainHash sourceChainHash viewerCanDecide viewerBlockedBecause expiresAt latencyMs result`;
export const ENTRY =
  "id seq type recordedAt actor{id} platform tool effect chainHash sourceChainHash arguments result latencyMs body canonical prevHash hash";

export const WRITE = { platform: "reservations", tool: "book_reservation" };
export const READ = { platform: "crm", tool: "get_user_details" };

export async function propose(
  api: Api,
  input: object = {},
  as: DemoName = "agent",
  selection = `action{${ACTION}} grant{token expiresAt} entry{${ENTRY}}`,
) {
  const { data, errors } = await api.gql(
    `mutation($input:ProposeActionInput!){proposeAction(input:$input){${selection} userErrors{code message path}}}`,
    { input: { idempotencyKey: randomUUID(), arguments: { user_id: "mia" }, ...WRITE, ...input } },
    { as },
  );
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.proposeAction;
}

/** Any mutation about an action, by its name. */
export async function act(
  api: Api,
  mutation: string,
  input: object,
  as: DemoName,
  selection = "action{status} userErrors{code path}",
) {
  const type = `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Input`;
  const { data, errors } = await api.gql(
    `mutation($input:${type}!){${mutation}(input:$input){${selection}}}`,
    { input },
    { as },
  );
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data[mutation];
}
