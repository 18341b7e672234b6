import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seal } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { callAppend, callAppendAgain, type Draft } from "../../src/ledger/appending/call.ts";
import { readWindowValues, type WindowCondition } from "../../src/ledger/windows.ts";
import { actionState, newId, openScene, type Scene } from "./scene.ts";

let scene: Scene;
let made = 0;

beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

async function ledgerOf(): Promise<LedgerId> {
  made += 1;
  const ledger: LedgerId = `windows-${made}/eu`;
  await scene.ledgers.ensure(ledger);
  return ledger;
}

/** A proposal of `agent`, evaluated by `windows`. */
function proposal(amount: string, windows: readonly WindowCondition[] = [], agent = "agent"): Draft {
  const id = uuidv7();
  const actor = { id: agent, kind: "AGENT", roles: [], groups: [] };
  const action = actionState(newId(), 1, "PENDING");
  return { id, ...seal({ actor, type: "ACTION_PROPOSED", ...action, measures: { amount }, id }), windows };
}

const sum = (value: string, after = 1n): WindowCondition => ({
  scope: "agent",
  id: "agent",
  measure: "amount",
  after,
  value,
});
const count = (value: string, after = 1n): WindowCondition => ({ scope: "organization", id: "", after, value });
const append = async (ledger: LedgerId, ...drafts: readonly Draft[]) =>
  (await callAppend(scene.pool, ledger, drafts)).map(({ refusal }) => refusal ?? "recorded");

describe("a draft that was evaluated by a window", () => {
  it("is recorded while nothing that counts was recorded since", async () => {
    const ledger = await ledgerOf();
    expect(await append(ledger, proposal("5"))).toEqual(["recorded"]);
    const [read] = await readWindowValues(scene.pool, [
      { ledger, seconds: 60, scope: "agent", id: "agent", measure: "amount" },
    ]);
    expect(read).toMatchObject({ value: "5", head: 2n });
    expect(await append(ledger, proposal("1", [sum("0", 1n)]))).toEqual(["WINDOW"]);
    expect(await append(ledger, proposal("1", [sum("0", 2n), count("0", 2n)]))).toEqual(["recorded"]);
    expect(await append(ledger, proposal("1", [sum("1", 2n), count("1", 2n)]))).toEqual(["recorded"]);
    // Of another agent, only the whole organization has changed.
    expect(await append(ledger, proposal("1", [sum("2.0", 2n)], "other"))).toEqual(["recorded"]);
    expect(await append(ledger, proposal("1", [sum("2", 2n), count("2", 2n)]))).toEqual(["WINDOW"]);
    expect(await append(ledger, proposal("1", [sum("2", 2n), count("3", 2n)]))).toEqual(["recorded"]);
  });

  it("sees those of its own batch before it, and not those that were refused", async () => {
    const ledger = await ledgerOf();
    const drafts = [
      proposal("5", [sum("0")]),
      proposal("7", [sum("0")]),
      proposal("7", [sum("5")]),
      proposal("1"),
      proposal("2", [sum("12")]),
      proposal("2", [sum("13"), count("3")]),
    ];
    expect(await append(ledger, ...drafts)).toEqual([
      "recorded",
      "WINDOW",
      "recorded",
      "recorded",
      "WINDOW",
      "recorded",
    ]);
    // They follow each other without a gap.
    const { rows } = await scene.pool.query(
      "SELECT array_agg(seq ORDER BY seq) AS seqs FROM oc_audit_log WHERE ledger = $1",
      [ledger],
    );
    expect(rows).toEqual([{ seqs: ["1", "2", "3", "4", "5"] }]);
  });

  it("is found again after a commit of unknown outcome, though it counts itself", async () => {
    const ledger = await ledgerOf();
    const drafts = [proposal("5", [sum("0")]), proposal("5", [sum("5")])];
    const call = newId();
    const first = await callAppend(scene.pool, ledger, drafts, call);
    const again = await callAppendAgain(scene.pool, ledger, drafts, 1n, call);
    expect(again.map((one) => (one.refusal === undefined ? one.seq : one))).toEqual([2n, 3n]);
    expect(first.map(({ refusal }) => refusal)).toEqual([undefined, undefined]);
    const lost = [proposal("5", [sum("10")]), proposal("5", [sum("10")])];
    const outcomes = await callAppendAgain(scene.pool, ledger, lost, 3n, newId());
    expect(outcomes.map(({ refusal }) => refusal ?? "recorded")).toEqual(["recorded", "WINDOW"]);
  });

  it("lets one of many pass that were evaluated at the same moment, on as many connections", async () => {
    const ledger = await ledgerOf();
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => append(ledger, proposal("1", [count("0")]))));
    expect(outcomes.flat().toSorted()).toEqual([...Array(11).fill("WINDOW"), "recorded"]);
  });

  it.each([
    ["without drafts", { windows: [{ scope: "agent", id: "a", after: "1", value: "0" }] }],
    ["of a draft that there is not", { windows: [{ scope: "agent", id: "a", after: "1", value: "0", drafts: [2] }] }],
    ["of another name", { window: [] }],
    ["of an unknown scope", { windows: [{ scope: "team", id: "a", after: "1", value: "0", drafts: [1] }] }],
    ["without a value", { windows: [{ scope: "agent", id: "a", after: "1", drafts: [1] }] }],
    ["without a position", { windows: [{ scope: "agent", id: "a", value: "0", drafts: [1] }] }],
    ["of nobody", { windows: [{ scope: "agent", after: "1", value: "0", drafts: [1] }] }],
  ])("fails the call with a condition %s", async (_, conditions) => {
    const ledger = await ledgerOf();
    const { body, payload } = proposal("1");
    const call = scene.pool.query("SELECT * FROM oc_ledger_append($1, $2, $3, $4)", [
      ledger,
      body,
      payload,
      JSON.stringify(conditions),
    ]);
    await expect(call).rejects.toMatchObject({ code: "OC003" });
  });
});
