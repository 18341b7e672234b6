import { describe, expect, it } from "vitest";
import { serveApi } from "../http/served-api.ts";
import { act, propose, READ } from "./steps.ts";

const { api } = serveApi();

interface Times {
  readonly status: string;
  readonly proposedAt: string;
  readonly redeemedAt: string | null;
  readonly completedAt: string | null;
  readonly endedAt: string | null;
  readonly error: string | null;
  readonly decisions: readonly { readonly decidedAt: string }[];
  readonly entries: readonly { readonly type: string; readonly recordedAt: string }[];
}

async function read(id: string): Promise<Times> {
  const { data, errors } = await api.gql<{ action: Times }>(
    `query($id:ID!){action(id:$id){status userRequest rationale rendered proposedAt
      policy{outcome explanation{ruleId matched}} decisions{verdict note decidedAt}
      redeemedAt completedAt endedAt error result latencyMs entries{type recordedAt}}}`,
    { id },
    { as: "agent" },
  );
  expect(errors).toBeUndefined();
  return data.action;
}

const timeOf = ({ entries }: Times, type: string) => entries.find((entry) => entry.type === type)?.recordedAt;

describe("the steps of an action", () => {
  it("have their times, from the request to the outcome", async () => {
    const { action } = await propose(api, { userRequest: "Please book", rationale: "They asked" });
    const waiting = await read(action.id);
    expect(waiting).toMatchObject({ redeemedAt: null, completedAt: null, endedAt: null, error: null, decisions: [] });
    expect(waiting.proposedAt).toBe(timeOf(waiting, "ACTION_PROPOSED"));

    await act(api, "approveAction", { actionId: action.id, digest: action.digest, note: "Fine" }, "approver");
    const claim = { actionId: action.id };
    const { grant } = await act(api, "claimGrant", claim, "agent", "grant{token expiresAt} userErrors{code}");
    await act(api, "redeemGrant", { token: grant?.token, digest: action.digest }, "agent");
    const started = await read(action.id);
    expect(started).toMatchObject({ status: "EXECUTING", completedAt: null, endedAt: null });
    expect(started.redeemedAt).toBe(timeOf(started, "GRANT_REDEEMED"));

    await act(api, "completeAction", { actionId: action.id, outcome: "FAILED", error: "No seats" }, "agent");
    const failed = await read(action.id);
    expect(failed).toMatchObject({ status: "FAILED", error: "No seats", redeemedAt: started.redeemedAt });
    expect(failed.completedAt).toBe(timeOf(failed, "ACTION_COMPLETED"));
    expect(failed.endedAt).toBe(failed.completedAt);
    const times = [failed.proposedAt, failed.decisions[0]?.decidedAt, failed.redeemedAt, failed.completedAt];
    expect(times).toEqual(times.toSorted());
  });

  it("end without an outcome where it is blocked or denied", async () => {
    const { action: blocked } = await propose(api, { ...READ, tool: "nothing" });
    const ended = await read(blocked.id);
    expect(ended).toMatchObject({ status: "BLOCKED", redeemedAt: null, completedAt: null, endedAt: ended.proposedAt });

    const { action } = await propose(api);
    await act(api, "denyAction", { actionId: action.id, digest: action.digest, note: "No" }, "approver");
    const denied = await read(action.id);
    expect(denied).toMatchObject({ status: "DENIED", completedAt: null, endedAt: timeOf(denied, "ACTION_DENIED") });
  });
});
