import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SessionRefusal } from "../../../src/domain/sessions/errors.ts";
import { createSessions, type Sessions } from "../../../src/domain/sessions/sessions.ts";
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
      body: { session: session.id, sessionVersion: 1, conversation: "c", method: "bearer-token" },
    });
    const going = await two.load(caller, session.id);
    expect(going).toMatchObject({ id: session.id, ended: undefined });
    expect(going?.started.entry).toBe(entry.entry);

    const over = await two.end(caller, { sessionId: session.id });
    expect(over.entry).toMatchObject({ type: "SESSION_ENDED", body: { sessionVersion: 2, conversation: "c" } });
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
    const second = await one.start(caller, {});
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

  it.each(["x".repeat(201), "\ud800", "a\0b"])("takes no odd conversation", async (conversationId) => {
    expect(await codeOf(one.start(fresh(), { conversationId }))).toBe("INVALID_INPUT");
  });
});
