import { expect, it } from "vitest";
import { createTryPolicy, type TryPolicy } from "../../src/domain/policy/apart.ts";
import { createSimulatePolicy } from "../../src/domain/publishing/simulate.ts";
import { serveApi } from "../http/served-api.ts";
import { waitUntil } from "../support/wait.ts";
import { fourEyes } from "./policy-documents.ts";

const tries = createTryPolicy();
/** How often a turn was asked for. */
let asked = 0;
const tryPolicy: TryPolicy = (by, work) => {
  asked += 1;
  return tries(by, work);
};
const { api } = serveApi({
  services: (services) => ({
    ...services,
    simulatePolicy: createSimulatePolicy({ ...services, tryPolicy, maxArguments: 1_000 }),
  }),
});

async function propose(text: string) {
  const { data } = await api.gql<{ readonly proposeAction: { readonly action: { readonly proposedAt: string } } }>(
    "mutation($input: ProposeActionInput!) { proposeAction(input: $input) { action { proposedAt } } }",
    {
      input: {
        idempotencyKey: crypto.randomUUID(),
        platform: "crm",
        tool: "send_certificate",
        arguments: { amount: 1_000, text },
        repeat: true,
      },
    },
    { as: "agent" },
  );
  return data.proposeAction.action.proposedAt;
}

const SIMULATE = `query($document: String!) { simulatePolicy(document: $document) { actions complete stoppedAt changed
  changes(first: 1) { explanation { ruleId } } } }`;
const simulate = () => api.gql(SIMULATE, { document: fourEyes(200) }, { as: "auditor" });
const inUse = () => api.snapshotPool.totalCount - api.snapshotPool.idleCount;

it("evaluates no more than may be held, the latest first, and says where it stopped", async () => {
  await propose("x".repeat(600));
  const second = await propose("y".repeat(600));
  await propose("z");
  const { data, errors } = await simulate();
  expect(errors).toBeUndefined();
  expect(data).toMatchObject({ simulatePolicy: { actions: 2, complete: false, stoppedAt: second, changed: 2 } });
  await propose("w".repeat(5_000));
  // However large one alone is.
  expect((await simulate()).data).toMatchObject({ simulatePolicy: { actions: 1, complete: false } });
});

it("holds no connection while it waits for its turn, neither to evaluate nor to explain", async () => {
  /** Takes a turn of another administrator until it is ended. */
  const occupy = () => {
    const begun = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    const over = tries({ organization: "acme", id: "admin" }, () => {
      begun.resolve();
      return end.promise;
    });
    return { begun: begun.promise, end: end.resolve, over };
  };
  const first = occupy();
  await first.begun;
  const before = asked;
  const simulated = simulate();
  await waitUntil(async () => asked > before);
  expect(inUse()).toBe(0);
  const second = occupy();
  first.end();
  await second.begun;
  // The simulation has had its turn, and waits for one to explain.
  await waitUntil(async () => asked > before + 1);
  await waitUntil(async () => inUse() === 0);
  second.end();
  expect((await simulated).data).toMatchObject({ simulatePolicy: { changes: [{ explanation: expect.anything() }] } });
  await Promise.all([first.over, second.over]);
});
