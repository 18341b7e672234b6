import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Actions } from "../../../src/domain/actions/actions.ts";
import { termsOf } from "../../../src/domain/actions/terms.ts";
import type { LedgerEntry } from "../../../src/facts/entry.ts";
import {
  agent,
  approver,
  calling,
  createWorld,
  entriesOf,
  type Process,
  refusalOf,
  type World,
  write,
} from "../support.ts";

/** Somebody who can write to the database changes, or removes, what a decision rests on. */
let world: World;
let process: Process;
let actions: Actions;
let superuser: Client;

beforeAll(async () => {
  world = await createWorld();
  process = await world.process();
  actions = process.actions;
  superuser = new Client({ connectionString: world.database.superuserUrl });
  await superuser.connect();
});
afterAll(async () => {
  await superuser.end();
  await world.close();
});

interface Pending {
  readonly id: string;
  readonly digest: string;
  readonly proposal: LedgerEntry;
}

async function pending(more: Parameters<typeof write>[0] = {}): Promise<Pending> {
  const { action } = await actions.propose(calling(agent), write(more));
  expect(action.state.status).toBe("PENDING");
  return { id: action.state.id, digest: termsOf(action.proposal).digest, proposal: action.proposal };
}

const approve = ({ id, digest }: Pending, by = approver) =>
  actions.approve(calling(by), { actionId: id, digest, channel: "API" });

async function approved(): Promise<Pending & { readonly token: string }> {
  const action = await pending();
  await approve(action);
  const { grant } = await actions.claimGrant(calling(agent), { actionId: action.id });
  return { ...action, token: grant.token };
}

/** Puts other text into the payload of an entry, as if by hand. */
async function alter(seq: bigint, from: string, to: string): Promise<void> {
  const { rowCount } = await superuser.query(
    "UPDATE oc_audit_payload SET payload = replace(payload::text, $2, $3)::json WHERE seq = $1 AND strpos(payload::text, $2) > 0",
    [seq, from, to],
  );
  expect(rowCount).toBe(1);
}

const remove = (seq: bigint) => superuser.query("DELETE FROM oc_audit_payload WHERE seq = $1", [seq]);
const removeValue = (seq: bigint, path: string) =>
  superuser.query("UPDATE oc_audit_payload SET payload = (payload::jsonb - $2)::json WHERE seq = $1", [seq, path]);

const deny = ({ id, digest }: Pending) =>
  actions.deny(calling(approver), { actionId: id, digest, channel: "API", note: "no" });
const corrupt = { code: "LEDGER_CORRUPT", outcome: "NOTHING" };

describe("a proposal with a value that was altered", () => {
  it("is neither approved nor denied, and records nothing", async () => {
    const action = await pending({ arguments: { reservation_id: "NO6JO3" } });
    await alter(action.proposal.seq, "NO6JO3", "ZFA04Y");
    await expect(approve(action)).rejects.toMatchObject(corrupt);
    await expect(deny(action)).rejects.toMatchObject(corrupt);
    expect(await entriesOf(process.pool, action.id)).toHaveLength(1);
    await alter(action.proposal.seq, "ZFA04Y", "NO6JO3");
    expect((await approve(action)).action.state.status).toBe("APPROVED");
  });

  it.each([
    ["the text for approvers", '"rendered":{"salt"', '"rendered":{"wrong"'],
    ["the profile of its requester", "Demo agent", "Demo Agent"],
    ["the address of the person it is for", "member@acme.example", "other@acme.example"],
    ["a salt", '"salt":"', '"salt":"0'],
  ])("whatever the value: %s", async (_name, from, to) => {
    const action = await pending();
    await alter(action.proposal.seq, from, to);
    await expect(approve(action)).rejects.toMatchObject(corrupt);
  });

  it("issues no grant, and its grant cannot be spent", async () => {
    const action = await pending();
    await approve(action);
    await alter(action.proposal.seq, "NO6JO3", "ZFA04Y");
    await expect(actions.claimGrant(calling(agent), { actionId: action.id })).rejects.toMatchObject(corrupt);
    const started = await approved();
    await alter(started.proposal.seq, "NO6JO3", "ZFA04Y");
    await expect(
      actions.redeemGrant(calling(agent), { token: started.token, digest: started.digest }),
    ).rejects.toMatchObject(corrupt);
  });

  it("is not taken for another proposal, nor for the same", async () => {
    const input = write();
    const { action } = await actions.propose(calling(agent), input);
    await alter(action.proposal.seq, "NO6JO3", "ZFA04Y");
    await expect(actions.propose(calling(agent), input)).rejects.toMatchObject(corrupt);
    const changed = { ...input, arguments: { reservation_id: "ZFA04Y" } };
    await expect(actions.propose(calling(agent), changed)).rejects.toMatchObject(corrupt);
  });
});

describe("a proposal with a value that is missing", () => {
  it("is neither approved nor denied; the attempt is an entry that says why", async () => {
    const action = await pending();
    await remove(action.proposal.seq);
    expect(await refusalOf(approve(action))).toMatchObject({
      code: "CONTENT_MISSING",
      message: expect.stringContaining("restored from a backup"),
      entry: { type: "DECISION_REFUSED", body: { reason: "CONTENT_MISSING" } },
    });
    expect((await refusalOf(deny(action))).code).toBe("CONTENT_MISSING");
    expect((await entriesOf(process.pool, action.id)).map(({ type }) => type)).toEqual([
      "ACTION_PROPOSED",
      "DECISION_REFUSED",
      "DECISION_REFUSED",
    ]);
  });

  it.each(["arguments", "rendered", "actor.profile"])("also when only %s is", async (path) => {
    const action = await pending();
    await removeValue(action.proposal.seq, path);
    expect((await refusalOf(approve(action))).code).toBe("CONTENT_MISSING");
  });

  it("issues no grant, and its grant cannot be spent", async () => {
    const unclaimed = await pending();
    await approve(unclaimed);
    await removeValue(unclaimed.proposal.seq, "arguments");
    expect((await refusalOf(actions.claimGrant(calling(agent), { actionId: unclaimed.id }))).code).toBe(
      "CONTENT_MISSING",
    );
    const { token, digest, proposal } = await approved();
    await removeValue(proposal.seq, "arguments");
    expect(await refusalOf(actions.redeemGrant(calling(agent), { token, digest }))).toMatchObject({
      code: "CONTENT_MISSING",
      entry: { type: "GRANT_REFUSED" },
    });
  });

  it("can still be withdrawn, and says why nobody can decide", async () => {
    const action = await pending();
    await remove(action.proposal.seq);
    const view = await actions.load(calling(agent), action.id);
    expect(view && (await actions.blockedBecause(view, calling(approver)))).toEqual(["CONTENT_MISSING"]);
    const cancelled = await actions.cancel(calling(agent), { actionId: action.id });
    expect(cancelled.action.state.status).toBe("CANCELLED");
  });
});
