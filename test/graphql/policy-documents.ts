import type { Api } from "../http/harness.ts";

/** A policy like the one that servers start with, but that a certificate beyond `limit` needs two people. */
export const fourEyes = (limit: number) => `
policy: 1
catalog:
  platforms:
    crm: { region: eu }
  tools:
    - { platform: crm, name: get_user_details, effect: READ }
    - { platform: crm, name: send_certificate, effect: WRITE }
rules:
  - { id: reads, when: 'tool.effect == "READ"', permit: true, reason: Reads are permitted. }
  - { id: writes, when: 'tool.effect == "WRITE"', require: [{ group: approvers, needed: 1 }], reason: Writes need one. }
  - id: four-eyes
    when: tool.name == "send_certificate" && number(args.amount) > ${limit}.0
    require: [{ group: approvers, needed: 2 }]
    reason: Large certificates need two people.
cases:
  - { name: a read, given: { platform: crm, tool: get_user_details }, expect: { outcome: PERMIT } }
  - { name: a small one, given: { platform: crm, tool: send_certificate, arguments: { amount: 1 } }, expect: { outcome: REQUIRE, rules: [writes] } }
  - { name: a large one, given: { platform: crm, tool: send_certificate, arguments: { amount: ${limit + 1} } }, expect: { outcome: REQUIRE, rules: [writes, four-eyes] } }
`;

/** Has `admin` publish a document, and `admin2` approve it. Throws when either is refused. */
export async function putInForce(api: Api, document: string, shadow = false): Promise<void> {
  const published = await api.gql<{
    publishPolicy: { action: { id: string; digest: string } | null; userErrors: readonly object[] };
  }>(
    "mutation($input:PublishPolicyInput!){publishPolicy(input:$input){action{id digest} userErrors{code message}}}",
    { input: { document, note: "a test", shadow } },
    { as: "admin" },
  );
  const { action, userErrors } = published.data.publishPolicy;
  if (action === null) throw new Error(JSON.stringify(userErrors));
  const approved = await api.gql<{ approveAction: { action: { status: string }; userErrors: readonly object[] } }>(
    "mutation($input:ApproveActionInput!){approveAction(input:$input){action{status} userErrors{code message}}}",
    { input: { actionId: action.id, digest: action.digest } },
    { as: "admin2" },
  );
  if (approved.data.approveAction.action.status !== "SUCCEEDED") throw new Error(JSON.stringify(approved.data));
}
