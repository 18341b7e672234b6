import { afterAll, beforeAll, expect, it } from "vitest";
import { createSignedAssertion } from "../../../src/domain/actions/signed.ts";
import { isSigned } from "../../support/ledgers.ts";
import { agent, approver, calling, createWorld, type Process, read, type World, write } from "../support.ts";

let world: World;
let process: Process;
beforeAll(async () => {
  world = await createWorld();
  process = await world.process();
});
afterAll(() => world.close());

const approve = async () => {
  const { actions } = process;
  const { action, entry } = await actions.propose(calling(agent), write());
  const digest = String(entry.body.digest);
  return (await actions.approve(calling(approver), { actionId: action.state.id, digest, channel: "API" })).action.state;
};
const corrupt = { code: "LEDGER_CORRUPT", outcome: "NOTHING" };

it("accepts the state that a signed entry left an action in", async () => {
  const assertSigned = createSignedAssertion({ db: process.pool, isSigned });
  const { action } = await process.actions.propose(calling(agent), read());
  expect(action.state.status).toBe("ALLOWED");
  await assertSigned(action.state);
  await assertSigned(await approve());
});

it("refuses any other state, whatever signed entry its row names", async () => {
  const assertSigned = createSignedAssertion({ db: process.pool, isSigned });
  const [one, other] = [await approve(), await approve()];
  const { action: pending } = await process.actions.propose(calling(agent), write());
  await expect(assertSigned({ ...pending.state, status: "APPROVED" })).rejects.toMatchObject(corrupt);
  await expect(assertSigned({ ...one, updatedSeq: other.updatedSeq })).rejects.toMatchObject(corrupt);
  await expect(assertSigned({ ...one, version: one.version + 1 })).rejects.toMatchObject(corrupt);
  await expect(assertSigned({ ...one, status: "ALLOWED" })).rejects.toMatchObject(corrupt);
  await expect(assertSigned({ ...one, updatedSeq: 99_999n })).rejects.toMatchObject(corrupt);
});

it("refuses an entry by a key that is not of this installation", async () => {
  const assertSigned = createSignedAssertion({ db: process.pool, isSigned: () => false });
  await expect(assertSigned(await approve())).rejects.toMatchObject(corrupt);
});
