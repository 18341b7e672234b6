import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SessionRefusal } from "../../../src/domain/sessions/errors.ts";
import { createSessions, type Sessions } from "../../../src/domain/sessions/sessions.ts";
import { stateIn } from "../../../src/facts/decode.ts";
import { DraftRejectedError } from "../../../src/ledger/errors.ts";
import { agent, auditor, calling, createWorld, LEDGER, member, type Process, type World } from "../support.ts";

let world: World;
let process: Process;
/** The same in two processes. */
let one: Sessions;
let two: Sessions;

beforeAll(async () => {
  world = await createWorld();
  process = await world.process();
  const other = await world.process();
  one = createSessions({ ledgers: process.ledgers, db: process.pool, region: "eu" });
  two = createSessions({ ledgers: other.ledgers, db: other.pool, region: "eu" });
});
afterAll(() => world.close());

/** A caller nobody else of this file is. */
const fresh = () => calling({ ...agent, id: `agent-${randomUUID()}` });
/** The agent of `caller`, acting for another person. */
const forAnother = ({ principal }: ReturnType<typeof fresh>) => calling({ ...principal, onBehalfOf: auditor });

async function codeOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof SessionRefusal) return outcome.code;
  throw new Error(`expected a refusal, got ${String(outcome ?? "success")}`, { cause: outcome });
}

async function typesOf(sessionId: string): Promise<string[]> {
  const { rows } = await process.pool.query<{ type: string }>(
    "SELECT type FROM oc_audit_log WHERE ledger = $1 AND session_id = $2 ORDER BY seq",
    [LEDGER, sessionId],
  );
  return rows.map(({ type }) => type);
}

describe("a session", () => {
  it("is its start and its end", async () => {
    const caller = fresh();
    const { session, entry } = await one.start(caller, { conversationId: "c" });
    expect(entry).toMatchObject({
      type: "SESSION_STARTED",
      body: {
        session: session.id,
        states: [{ kind: "SESSION", id: session.id, version: 1, state: { status: "OPEN" } }],
        conversation: "c",
        method: "bearer-token",
      },
    });
    const going = await two.load(caller, session.id);
    expect(going).toMatchObject({ id: session.id, ended: undefined });
    expect(going?.started.entry).toBe(entry.entry);

    const over = await two.end(caller, { sessionId: session.id });
    expect(over.entry).toMatchObject({
      type: "SESSION_ENDED",
      body: {
        states: [{ kind: "SESSION", version: 2, state: { status: "ENDED" } }],
        conversation: "c",
        reason: "LOGOUT",
      },
    });
    const loaded = await one.load(caller, session.id);
    expect([loaded?.started.seq, loaded?.ended?.seq]).toEqual([entry.seq, over.entry.seq]);
  });

  it("ends once of 16 ends at once, in two processes", async () => {
    const caller = fresh();
    const { session } = await one.start(caller, {});
    const ends = await Promise.allSettled(
      Array.from({ length: 16 }, (_, index) =>
        (index % 2 === 0 ? one : two).end(caller, index % 4 < 2 ? { sessionId: session.id } : {}),
      ),
    );
    const refused = ends.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    expect(refused).toHaveLength(15);
    for (const error of refused) expect(error).toMatchObject({ code: "ALREADY_ENDED", path: ["sessionId"] });
    expect(await typesOf(session.id)).toEqual(["SESSION_STARTED", "SESSION_ENDED"]);
    expect(await codeOf(one.end(caller, { sessionId: session.id }))).toBe("ALREADY_ENDED");
  });

  it("is ended by name, or else the latest of the same caller is", async () => {
    const caller = fresh();
    const first = await one.start(caller, {});
    const second = await one.start(caller, { alone: true });
    const others = await one.start(forAnother(caller), {});
    expect((await one.end(caller, {})).session.id).toBe(second.session.id);
    // Not the one before it: whoever repeats an end whose answer was lost must not end another session.
    expect(await codeOf(one.end(caller, {}))).toBe("ALREADY_ENDED");
    expect((await one.end(caller, { sessionId: first.session.id })).session.id).toBe(first.session.id);
    expect((await one.end(forAnother(caller), {})).session.id).toBe(others.session.id);
  });

  it("is nobody else's to end", async () => {
    const caller = fresh();
    const { session } = await one.start(caller, {});
    const { onBehalfOf: _, ...alone } = caller.principal;
    for (const stranger of [
      fresh(),
      forAnother(caller),
      calling(alone),
      calling(member),
      calling({ ...caller.principal, organization: "globex" }),
    ]) {
      expect(await codeOf(one.end(stranger, { sessionId: session.id }))).toBe("NOT_FOUND");
      expect(await codeOf(one.end(stranger, {}))).toBe("NOT_FOUND");
    }
    expect(await typesOf(session.id)).toEqual(["SESSION_STARTED"]);
    expect(await codeOf(one.end(caller, { sessionId: randomUUID() }))).toBe("NOT_FOUND");
  });

  it("records how and from where the caller signed in, the address so that it can be erased", async () => {
    const caller = { ...fresh(), method: "passkey", address: "203.0.113.7" };
    const { entry } = await one.start(caller, {});
    expect(entry.body).toMatchObject({
      method: "passkey",
      address: { commit: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(entry.payload?.address?.value).toBe("203.0.113.7");
    expect(entry.body.conversation).toBeUndefined();
  });

  it("is over after its time, and its end is recorded once however many sweep", async () => {
    const caller = fresh();
    const brief = createSessions({ ledgers: process.ledgers, db: process.pool, region: "eu", sessionTtl: 0 });
    const { session, entry } = await brief.start(caller, { conversationId: "c" });
    const lasting = await one.start(caller, {});
    const length =
      Date.parse(String(stateIn(lasting.entry, "SESSION")?.state.expiresAt)) - Date.parse(lasting.entry.recordedAt);
    expect(Math.abs(length - 12 * 3600_000)).toBeLessThan(10_000);
    const swept = await Promise.all([one, two, one, two].map((sessions) => sessions.settleDue(10)));
    expect(swept.map(({ failed, more }) => ({ failed, more }))).toEqual(
      Array.from({ length: 4 }, () => ({ failed: [], more: false })),
    );
    expect(swept.reduce((sum, { expired }) => sum + expired, 0)).toBe(1);
    const over = await one.load(caller, session.id);
    expect(over?.ended).toMatchObject({
      type: "SESSION_ENDED",
      body: { reason: "EXPIRED", actor: { id: "countersign", kind: "SERVICE" }, conversation: "c" },
    });
    expect(over?.started.seq).toBe(entry.seq);
    expect(await codeOf(one.end(caller, { sessionId: session.id }))).toBe("ALREADY_ENDED");
    expect((await one.load(caller, lasting.session.id))?.ended).toBeUndefined();
  });

  it("can be ended by its owner after its time, before the server did", async () => {
    const caller = fresh();
    const brief = createSessions({ ledgers: process.ledgers, db: process.pool, region: "eu", sessionTtl: 0 });
    const { session } = await brief.start(caller, {});
    expect((await one.end(caller, { sessionId: session.id })).entry.body.reason).toBe("LOGOUT");
    expect(await two.settleDue(10)).toEqual({ expired: 0, failed: [], more: false });
  });

  it("leaves the rest of a large backlog to the next sweep, and reports what cannot be ended", async () => {
    const brief = createSessions({ ledgers: process.ledgers, db: process.pool, region: "eu", sessionTtl: 0 });
    for (let n = 0; n < 3; n += 1) await brief.start(fresh(), {});
    const full: typeof process.ledgers.append = async () => {
      throw new DraftRejectedError(new Error("no"));
    };
    const failing = createSessions({
      ledgers: { append: full, damaged: process.ledgers.damaged },
      db: process.pool,
      region: "eu",
    });
    expect(await failing.settleDue(2)).toMatchObject({ expired: 0, more: false, failed: { length: 3 } });
    expect(await one.settleDue(2)).toEqual({ expired: 2, failed: [], more: true });
    expect(await one.settleDue(2)).toEqual({ expired: 1, failed: [], more: false });
  });

  it.each(["x".repeat(201), "\ud800", "a\0b"])("takes no odd conversation", async (conversationId) => {
    expect(await codeOf(one.start(fresh(), { conversationId }))).toBe("INVALID_INPUT");
  });
});
