import { afterAll, beforeAll, expect, it } from "vitest";
import { assertSigned } from "../../../src/domain/actions/signed.ts";
import { type Loaded, loadAction } from "../../../src/domain/actions/store.ts";
import { isSigned } from "../../support/ledgers.ts";
import { agent, approver, calling, createWorld, LEDGER, type Process, read, type World, write } from "../support.ts";

let world: World;
let process: Process;
beforeAll(async () => {
  world = await createWorld();
  process = await world.process();
});
afterAll(() => world.close());

/** The action as it is loaded for a decision. */
async function loadedOf(id: string): Promise<Loaded> {
  const loaded = await loadAction(process.pool, LEDGER, id);
  if (loaded === undefined) throw new Error(`there is no action ${id}`);
  return loaded;
}

async function approved(): Promise<Loaded> {
  const { actions } = process;
  const { action, entry } = await actions.propose(calling(agent), write());
  const digest = String(entry.body.digest);
  await actions.approve(calling(approver), { actionId: action.state.id, digest, channel: "API" });
  return loadedOf(action.state.id);
}

const corrupt = expect.objectContaining({ code: "LEDGER_CORRUPT", outcome: "NOTHING" });

it("accepts the state that a signed entry left an action in", async () => {
  const { action } = await process.actions.propose(calling(agent), read());
  const allowed = await loadedOf(action.state.id);
  expect(allowed.view.state.status).toBe("ALLOWED");
  assertSigned(allowed, isSigned);
  assertSigned(await approved(), isSigned);
});

it("refuses any other state, whatever signed entry its row names", async () => {
  const [one, other] = [await approved(), await approved()];
  const withState = (changes: object): Loaded => ({
    ...one,
    view: { ...one.view, state: { ...one.view.state, ...changes } },
  });
  for (const wrong of [
    { ...one, latest: other.latest },
    { ...one, latest: one.view.proposal },
    { ...one, latest: undefined },
    withState({ version: 3 }),
    withState({ status: "ALLOWED" }),
  ]) {
    expect(() => assertSigned(wrong, isSigned)).toThrow(corrupt);
  }
});

it("refuses an entry by a key that is not of this installation", async () => {
  const loaded = await approved();
  expect(() => assertSigned(loaded, () => false)).toThrow(corrupt);
});
