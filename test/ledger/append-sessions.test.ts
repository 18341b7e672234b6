import { v7 as uuidv7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import { dependenciesOf } from "../../src/facts/dependencies.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { SYSTEM_ACTOR } from "../../src/facts/envelope.ts";
import { callAppend, callAppendAgain, type Draft } from "../../src/ledger/appending/call.ts";
import { actionState, newId, note, openScene, type Scene, sessionStep } from "./scene.ts";

const LEDGER = "session/eu";
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
  await scene.ledgers.ensure(LEDGER);
});

afterAll(() => scene.close());

const append = (body: UnsealedObject, ledger: LedgerId = LEDGER) => scene.ledgers.append(ledger, body);
const inside = (session: string, more: UnsealedObject = {}) => note("a step", { session, ...more });
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

function draft(body: UnsealedObject, notAfter?: Date): Draft {
  const id = uuidv7();
  return { id, notAfter, dependencies: dependenciesOf(body), ...seal({ ...body, id }) };
}

/** What became of each of `drafts` in one transaction. */
async function together(...drafts: readonly Draft[]) {
  return (await callAppend(scene.pool, LEDGER, drafts)).map(({ refusal }) => refusal);
}

async function row(session: string) {
  const { rows } = await scene.pool.query(
    `SELECT version, status, actor_id, on_behalf_of_id, conversation, expires_at, first_seq, updated_seq, entries, hash
       FROM oc_state WHERE kind = 'SESSION' AND id = $1`,
    [session],
  );
  return rows[0] as Record<string, unknown> | undefined;
}

describe("a session's row", () => {
  it("repeats the members of its start, whoever ends it", async () => {
    const session = newId();
    const expiresAt = new Date(Date.now() + 3_600_000);
    const started = await append(
      sessionStep(session, 1, {
        conversation: "conversation 1",
        onBehalfOf: { id: "boss" },
        expiresAt: expiresAt.toISOString(),
      }),
    );
    const open = {
      version: 1,
      actor_id: "member",
      on_behalf_of_id: "boss",
      conversation: "conversation 1",
      expires_at: expiresAt,
      first_seq: String(started.seq),
      updated_seq: String(started.seq),
      entries: [String(started.seq)],
      hash: Buffer.from(started.hash, "hex"),
      status: "OPEN",
    };
    expect(await row(session)).toEqual(open);
    const ended = await append(sessionStep(session, 2, { actor: SYSTEM_ACTOR }));
    expect(await row(session)).toEqual({
      ...open,
      version: 2,
      expires_at: null,
      updated_seq: String(ended.seq),
      entries: [started.seq, ended.seq].map(String),
      hash: Buffer.from(ended.hash, "hex"),
      status: "ENDED",
    });
  });

  it("has neither conversation nor end of life when its start names none", async () => {
    const session = newId();
    await append(sessionStep(session, 1));
    expect(await row(session)).toMatchObject({ conversation: "", expires_at: null });
  });

  it("moves to its end once, however many end it at the same time, and no further", async () => {
    const session = newId();
    await append(sessionStep(session, 1));
    const ends = await Promise.allSettled(Array.from({ length: 8 }, () => append(sessionStep(session, 2))));
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const end of ends)
      if (end.status === "rejected") expect(end.reason).toMatchObject({ code: "MOVED", kind: "SESSION" });
  });
});

describe("an entry made in a session", () => {
  it("is recorded while that is open, and refused alone when it never began, ended or expired", async () => {
    const [open, ended, expired, lasting] = [newId(), newId(), newId(), newId()];
    await append(sessionStep(open, 1));
    await append(sessionStep(ended, 1));
    await append(sessionStep(ended, 2));
    await append(sessionStep(expired, 1, { expiresAt: inMs(-1) }));
    await append(sessionStep(lasting, 1, { expiresAt: inMs(3_600_000) }));
    await append(inside(open));
    await append(inside(lasting));
    for (const session of [newId(), ended, expired]) {
      await expect(append(inside(session))).rejects.toMatchObject({
        code: "MOVED",
        kind: "SESSION",
      });
    }
    expect(
      await together(
        draft(inside(open)),
        draft(inside(ended)),
        draft(inside(newId())),
        draft(inside(expired)),
        draft(note("none")),
        draft(inside(lasting)),
      ),
    ).toEqual([undefined, "SESSION", "SESSION", "SESSION", undefined, undefined]);
  });

  it("is not made in another ledger's session", async () => {
    const session = newId();
    await append(sessionStep(session, 1));
    await expect(append(inside(session), "other/eu")).rejects.toMatchObject({ code: "MOVED", kind: "SESSION" });
  });

  it("leaves no trace of what else it would have changed", async () => {
    const [session, action] = [newId(), newId()];
    await expect(append({ ...note("x"), session, ...actionState(action, 1, "PENDING") })).rejects.toMatchObject({
      code: "MOVED",
      kind: "SESSION",
    });
    const { rows } = await scene.pool.query("SELECT FROM oc_state WHERE id = $1", [action]);
    expect(rows).toEqual([]);
  });

  it("is refused after an end of the same batch, not before it", async () => {
    const session = newId();
    await append(sessionStep(session, 1));
    expect(
      await together(
        draft(inside(session)),
        draft(sessionStep(session, 2)),
        draft(inside(session)),
        draft(sessionStep(session, 2)),
        draft(inside(session)),
      ),
    ).toEqual([undefined, undefined, "SESSION", "SESSION", "SESSION"]);
  });

  it("is recorded after a start of the same batch, not before it", async () => {
    const [session, expired] = [newId(), newId()];
    expect(
      await together(
        draft(inside(session)),
        draft(sessionStep(session, 1)),
        draft(inside(session)),
        draft(sessionStep(expired, 1, { expiresAt: inMs(-1) })),
        draft(inside(expired)),
      ),
    ).toEqual(["SESSION", undefined, undefined, undefined, "SESSION"]);
  });

  it("takes no notice of a start or an end that was itself refused", async () => {
    const [open, never] = [newId(), newId()];
    await append(sessionStep(open, 1));
    const late = new Date(Date.now() - 1);
    expect(
      await together(
        draft(sessionStep(open, 2), late),
        draft(inside(open)),
        draft(sessionStep(never, 1), late),
        draft(inside(never)),
      ),
    ).toEqual(["LATE", undefined, "LATE", "SESSION"]);
  });

  it("is found again after an unknown commit, though its session has ended since", async () => {
    const session = newId();
    await append(sessionStep(session, 1));
    const head = (await append(note("before"))).seq;
    const [step, fresh] = [draft(inside(session)), draft(inside(session))];
    const [recorded] = await callAppend(scene.pool, LEDGER, [step]);
    await append(sessionStep(session, 2));
    const again = await callAppendAgain(scene.pool, LEDGER, [step, fresh], head, newId());
    expect(again).toEqual([recorded, { refusal: "SESSION" }]);
  });
});
