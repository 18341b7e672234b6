import { expect, it } from "vitest";
import { serveApi } from "../http/served-api.ts";
import { fourEyes, putInForce } from "./policy-documents.ts";

const { api } = serveApi();

async function propose(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const { errors } = await api.gql(
      "mutation($input: ProposeActionInput!) { proposeAction(input: $input) { action { id } } }",
      {
        input: {
          idempotencyKey: crypto.randomUUID(),
          platform: "crm",
          tool: "send_certificate",
          arguments: { amount: 1 },
          repeat: true,
        },
      },
      { as: "agent" },
    );
    expect(errors).toBeUndefined();
  }
}

const LATER = fourEyes(1_000)
  .replace(
    "cases:",
    `  - { id: many, when: 'count("7d", "person") > 4', require: [{ group: approvers, needed: 2 }], reason: Many. }\ncases:`,
  )
  .concat(
    `  - { name: many, given: { platform: crm, tool: get_user_details, windows: { 'count("7d", "person")': 9 } }, expect: { outcome: REQUIRE } }\n`,
  );

it("takes as many statements for many actions as for two, to read windows that only a later policy has", async () => {
  /** Of a list of `nodes` actions, which were proposed when there was no window. */
  const statements = async (nodes: number) => {
    api.queries();
    const { data, errors } = await api.gql(
      "{ pendingApprovals(onlyDecidable: true, first: 1) { nodes { id } } all: pendingApprovals { nodes { viewerCanDecide } } }",
      {},
      { as: "admin" },
    );
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({ all: { nodes: Array(nodes).fill({ viewerCanDecide: true }) } });
    return api.queries();
  };
  await putInForce(api, fourEyes(1_000));
  await propose(2);
  await putInForce(api, LATER);
  const few = await statements(2);
  await putInForce(api, fourEyes(1_000));
  await propose(10);
  await putInForce(api, LATER);
  expect(await statements(12)).toBe(few);
});
