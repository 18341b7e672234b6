import { describe, expect, it } from "vitest";
import { serveApi } from "../http/served-api.ts";
import { act, propose, READ } from "./steps.ts";

/** Outcomes that come after their deadline. */
const { api } = serveApi({ executionTtl: 1 });

const SELECTION = "action{status reportedLate latencyMs expiresAt} entry{type} userErrors{code path}";

async function started() {
  const { action, grant } = await propose(api, READ);
  await act(api, "redeemGrant", { token: grant?.token, digest: action.digest }, "agent");
  return action;
}

async function ambiguous() {
  const action = await started();
  await expect
    .poll(
      async () => {
        await api.services.actions.settleDue(10);
        const query = "query($id:ID!){action(id:$id){status}}";
        return (await api.gql<{ action: { status: string } }>(query, { id: action.id }, { as: "agent" })).data?.action
          .status;
      },
      { timeout: 20_000 },
    )
    .toBe("AMBIGUOUS");
  return action;
}

describe("an outcome that was not reported in time", () => {
  it("is taken from the agent all the same, and marked", async () => {
    const { id: actionId } = await ambiguous();
    const reported = await act(api, "completeAction", { actionId, outcome: "SUCCEEDED" }, "agent", SELECTION);
    expect(reported).toMatchObject({ action: { status: "SUCCEEDED", reportedLate: true }, userErrors: [] });
  });

  it("is recorded by an administrator, with a note", async () => {
    const { id: actionId } = await ambiguous();
    const resolve = { actionId, outcome: "FAILED", note: "the platform has no such booking" };
    for (const as of ["agent", "member", "approver", "auditor"] as const) {
      const { userErrors } = await act(api, "resolveAction", resolve, as, SELECTION);
      expect(userErrors).toMatchObject([{ code: as === "member" ? "NOT_ALLOWED" : expect.any(String) }]);
    }
    expect((await act(api, "resolveAction", { ...resolve, note: " " }, "admin", SELECTION)).userErrors).toMatchObject([
      { code: "INVALID_INPUT", path: ["input", "note"] },
    ]);
    expect(await act(api, "resolveAction", resolve, "admin", SELECTION)).toMatchObject({
      action: { status: "FAILED", reportedLate: true },
      entry: { type: "ACTION_COMPLETED" },
      userErrors: [],
    });
    // Once: what is known is known.
    expect((await act(api, "resolveAction", resolve, "admin", SELECTION)).userErrors).toMatchObject([
      { code: "NOT_AMBIGUOUS" },
    ]);
    const late = await act(api, "completeAction", { actionId, outcome: "SUCCEEDED" }, "agent", SELECTION);
    expect(late.userErrors).toMatchObject([{ code: "NOT_EXECUTING" }]);
  });
});

it("is not late in time, nor after the agent asked for more of it", async () => {
  const { id: actionId } = await started();
  const extended = await act(api, "extendExecution", { actionId, seconds: 600 }, "agent", SELECTION);
  expect(extended).toMatchObject({ action: { status: "EXECUTING" }, entry: { type: "EXECUTION_EXTENDED" } });
  expect(
    (await act(api, "extendExecution", { actionId, seconds: 90_000 }, "agent", SELECTION)).userErrors,
  ).toMatchObject([{ code: "EXECUTION_LIMIT", path: ["input", "seconds"] }]);
  const { action } = await act<{ action: object }>(
    api,
    "completeAction",
    { actionId, outcome: "SUCCEEDED" },
    "agent",
    SELECTION,
  );
  expect(action).toMatchObject({ status: "SUCCEEDED", reportedLate: false });
});
