import { describe, expect, it } from "vitest";
import type { DemoName } from "../../src/domain/identity/demo-principals.ts";
import { serveApi } from "../http/served-api.ts";
import { act, propose, READ } from "./steps.ts";

const { api } = serveApi({ socketLimits: { streamsPerPrincipal: 3 } });

const wait = (id: string, seconds: number | null, as: DemoName = "agent") =>
  api.gql<{ waitForDecision: { status: string } | null }>(
    "query($id:ID!,$seconds:Int){waitForDecision(id:$id,seconds:$seconds){status decisions{verdict}}}",
    { id, seconds },
    { as },
  );

/** Whether a follower of the ledger is there, so that whoever waits would be told. */
async function whileWaiting<Result>(waiting: Promise<Result>, decide: () => Promise<unknown>): Promise<Result> {
  let over = false;
  void waiting.finally(() => {
    over = true;
  });
  await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 100))]);
  expect(over).toBe(false);
  await decide();
  return waiting;
}

describe("waiting for a decision", () => {
  it("ends when it is made, with the action as it is then", async () => {
    const { action } = await propose(api);
    const { data } = await whileWaiting(wait(action.id, null), () =>
      act(api, "approveAction", { actionId: action.id, digest: action.digest }, "approver"),
    );
    expect(data).toEqual({ waitForDecision: { status: "APPROVED", decisions: [{ verdict: "APPROVE" }] } });
    expect((await wait(action.id, 25)).data).toMatchObject({ waitForDecision: { status: "APPROVED" } });
  });

  it("ends after the time that was asked for, and at once where nobody has to decide", async () => {
    const { action } = await propose(api);
    expect((await wait(action.id, 0)).data).toMatchObject({ waitForDecision: { status: "PENDING" } });
    expect((await wait(action.id, 1)).data).toMatchObject({ waitForDecision: { status: "PENDING" } });
    const read = await propose(api, READ);
    expect((await wait(read.action.id, 25)).data).toMatchObject({ waitForDecision: { status: "ALLOWED" } });
  });

  it("waits in no query that reads other things, which would be older than what it returns", async () => {
    const { action } = await propose(api);
    const asked = (seconds: number, more: string) =>
      api.gql(
        `query($id:ID!){waitForDecision(id:$id,seconds:${seconds}){status} ${more}} fragment F on Query{action(id:$id){id}}`,
        { id: action.id },
        { as: "agent" },
      );
    for (const more of ["...F", "other:waitForDecision(id:$id){id} ...F"]) {
      expect((await asked(5, more)).errors?.[0]).toMatchObject({ extensions: { code: "BAD_USER_INPUT" } });
    }
    expect((await asked(0, "...F")).data).toMatchObject({ waitForDecision: { status: "PENDING" } });
  });

  it("is not for who may not see the action, and not longer than it may be", async () => {
    const { action } = await propose(api);
    expect((await wait(action.id, 25, "outsider")).data).toEqual({ waitForDecision: null });
    expect((await wait("nothing", 25)).data).toEqual({ waitForDecision: null });
    for (const seconds of [-1, 26]) {
      expect((await wait(action.id, seconds)).errors?.[0]?.extensions.code).toBe("BAD_USER_INPUT");
    }
  });

  it("takes one of the caller's streams each, and no connection to the database", async () => {
    const { action } = await propose(api);
    const waiting = [1, 2, 3, 4].map(() => wait(action.id, 25));
    const first = await Promise.race(waiting);
    expect(first.errors?.[0]?.extensions.code).toBe("RATE_LIMITED");
    expect(api.snapshotPool.totalCount - api.snapshotPool.idleCount).toBe(0);
    await act(api, "denyAction", { actionId: action.id, digest: action.digest, note: "No." }, "approver");
    const others = (await Promise.all(waiting)).filter((one) => one !== first);
    expect(others.map(({ data }) => data)).toMatchObject(
      [1, 2, 3].map(() => ({ waitForDecision: { status: "DENIED" } })),
    );
  });
});
