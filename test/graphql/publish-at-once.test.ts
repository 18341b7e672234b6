import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { type Api, startApi } from "../http/harness.ts";
import { serveApi } from "../http/served-api.ts";
import { fourEyes } from "./policy-documents.ts";

const { api, database } = serveApi();

const PUBLISH = `mutation($input: PublishPolicyInput!) { publishPolicy(input: $input) {
  version { version } action { id digest } userErrors { code message } } }`;
const APPROVE = `mutation($input: ApproveActionInput!) { approveAction(input: $input) {
  action { status } userErrors { code } } }`;
const PROPOSE = `mutation($input: ProposeActionInput!) { proposeAction(input: $input) { action { status } userErrors { code } } }`;

interface Publication {
  readonly publishPolicy: {
    readonly version: { readonly version: number };
    readonly action: { readonly id: string; readonly digest: string };
  };
}

interface Approval {
  readonly approveAction: {
    readonly action: { readonly status: string } | null;
    readonly userErrors: readonly { readonly code: string }[];
  };
}

async function publish(on: Api, document: string, as: "admin" | "admin2") {
  const { data } = await on.gql<Publication>(PUBLISH, { input: { document, note: "at once" } }, { as });
  return data!.publishPolicy;
}

async function approve(on: Api, { action: { id, digest } }: Publication["publishPolicy"], as: "admin" | "admin2") {
  const { data, errors } = await on.gql<Approval>(APPROVE, { input: { actionId: id, digest } }, { as });
  expect(errors).toBeUndefined();
  const { action, userErrors } = data!.approveAction;
  return userErrors[0]?.code ?? action?.status;
}

it("puts exactly one of two documents in force that are approved on two servers at once, again and again", async () => {
  const other = await startApi(database.appUrl);
  const input = () => ({
    platform: "crm",
    tool: "get_user_details",
    arguments: { n: 1 },
    idempotencyKey: randomUUID(),
  });
  try {
    for (let round = 1; round <= 5; round += 1) {
      const [one, two] = await Promise.all([
        publish(api, fourEyes(round * 100), "admin"),
        publish(other, fourEyes(round * 100 + 1), "admin2"),
      ]);
      expect([one.version.version, two.version.version]).toEqual([round + 1, round + 1]);
      const [first, second, ...proposed] = await Promise.all([
        approve(api, one, "admin2"),
        approve(other, two, "admin"),
        ...[api, other, api, other].map((on) => on.gql(PROPOSE, { input: input() }, { as: "agent" })),
      ]);
      expect([first, second].toSorted()).toEqual(["POLICY_CHANGED", "SUCCEEDED"]);
      for (const { data } of proposed) {
        expect(data).toMatchObject({ proposeAction: { action: { status: "ALLOWED" }, userErrors: [] } });
      }
    }
  } finally {
    await other.close();
  }
  const { data } = await api.gql("{ policy { version } verifyLedger { verdict } }", {}, { as: "auditor" });
  expect(data).toMatchObject({ policy: { version: 6 }, verifyLedger: { verdict: "INTACT" } });
});
