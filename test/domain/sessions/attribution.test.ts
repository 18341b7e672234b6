import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { termsOf } from "../../../src/domain/actions/terms.ts";
import type { Caller } from "../../../src/domain/identity/principal.ts";
import { createAttribution } from "../../../src/domain/sessions/attribution.ts";
import { createSessions, type Sessions } from "../../../src/domain/sessions/sessions.ts";
import { withClient } from "../../support/postgres.ts";
import { waitUntil } from "../../support/wait.ts";
import {
  agent,
  approver,
  calling,
  createWorld,
  entriesOf,
  human,
  LEDGER,
  type Process,
  read,
  refusalOf,
  type World,
  write,
} from "../support.ts";

let world: World;
let one: Process;
let two: Process;
let sessions: Sessions;
let elsewhere: Sessions;

beforeAll(async () => {
  world = await createWorld();
  [one, two] = await Promise.all([world.process(), world.process()]);
  sessions = createSessions({ ledgers: one.ledgers, db: one.pool, region: "eu" });
  elsewhere = createSessions({ ledgers: two.ledgers, db: two.pool, region: "eu" });
});
afterAll(() => world.close());

/** A person and their agent whom no other test knows. */
function pair(): { readonly person: Caller; readonly bot: Caller } {
  const person = human(`person-${randomUUID()}`, { roles: ["member"] });
  return { person: calling(person), bot: calling({ ...agent, id: `agent-${randomUUID()}`, onBehalfOf: person }) };
}

async function begin(caller: Caller, conversationId?: string, where: Sessions = sessions): Promise<string> {
  const { session } = await where.start(caller, { conversationId });
  return session.id;
}

/** Another one, also when the same was started a moment ago. */
async function beginAnother(caller: Caller, conversationId?: string, where: Sessions = sessions): Promise<string> {
  const { session } = await where.start(caller, { conversationId, alone: true });
  return session.id;
}

const brief = () => createSessions({ ledgers: one.ledgers, db: one.pool, region: "eu", sessionTtl: 0 });

/** Sessions that the entries about an action name, oldest first. */
const sessionsOf = async (id: string) => (await entriesOf(one.pool, id)).map(({ body }) => body.session);

describe("what a caller does belongs to", () => {
  it("no session, when none was started", async () => {
    expect(await sessions.attribute(pair().bot, "c")).toBeUndefined();
  });

  it("their own latest session of the conversation, wherever it was started", async () => {
    const { bot } = pair();
    const early = await begin(bot, "c");
    const other = await begin(bot, "d");
    expect(await sessions.attribute(bot, "c")).toBe(early);
    const late = await beginAnother(bot, "c", elsewhere);
    expect(await sessions.attribute(bot, "c")).toBe(late);
    expect(await sessions.attribute(bot, "d")).toBe(other);
    await elsewhere.end(bot, { sessionId: late });
    expect(await sessions.attribute(bot, "c")).toBe(early);
  });

  it("their own latest without a conversation, when the conversation has none", async () => {
    const { bot } = pair();
    const plain = await begin(bot);
    const talk = await begin(bot, "c");
    expect(await sessions.attribute(bot, "other")).toBe(plain);
    // What belongs to no conversation belongs to the latest of any.
    expect(await sessions.attribute(bot)).toBe(talk);
    expect(await sessions.attribute(bot, "")).toBe(talk);
  });

  it("the person's session, when their agent has none for it", async () => {
    const { person, bot } = pair();
    const theirs = await begin(person, "something else");
    expect(await sessions.attribute(bot, "c")).toBe(theirs);
    const talk = await begin(bot, "d");
    expect(await sessions.attribute(bot, "c")).toBe(theirs);
    expect(await sessions.attribute(bot, "d")).toBe(talk);
    expect(await sessions.attribute(person, "d")).toBeUndefined();
    expect(await sessions.attribute(person)).toBe(theirs);
  });

  it("the browser session the call came with, as long as it is open", async () => {
    const { person } = pair();
    const browser = await begin(person);
    const latest = await beginAnother(person);
    expect(await sessions.attribute(person)).toBe(latest);
    expect(await sessions.attribute({ ...person, sessionId: browser })).toBe(browser);
    // Signing out means that one.
    expect((await sessions.end({ ...person, sessionId: browser }, {})).session.id).toBe(browser);
    expect(await sessions.attribute({ ...person, sessionId: browser })).toBe(latest);
    expect(await sessions.attribute({ ...person, sessionId: randomUUID() })).toBe(latest);
  });

  it("nobody else's session", async () => {
    const { person, bot } = pair();
    await begin(bot, "c");
    await begin(person);
    const { onBehalfOf: _, ...alone } = bot.principal;
    const strangers = [
      { ...bot.principal, onBehalfOf: pair().person.principal },
      alone,
      { ...bot.principal, organization: "globex" },
      // A person may act for another; only what agents do hangs on somebody else's session.
      { ...human("deputy"), onBehalfOf: person.principal },
    ];
    for (const stranger of strangers) expect(await sessions.attribute(calling(stranger), "c")).toBeUndefined();
  });

  it("no session that is over", async () => {
    const { bot } = pair();
    await brief().start(bot, { conversationId: "c" });
    expect(await sessions.attribute(bot, "c")).toBeUndefined();
    const lasting = await begin(bot);
    expect(await sessions.attribute(bot, "c")).toBe(lasting);
  });

  it("is found for many at once in few queries, each their own", async () => {
    const pairs = Array.from({ length: 20 }, pair);
    const started = await Promise.all(pairs.map(({ bot }, n) => begin(bot, `c${n}`)));
    let queries = 0;
    const query = ((...parameters: Parameters<typeof one.pool.query>) => {
      queries += 1;
      return one.pool.query(...parameters);
    }) as typeof one.pool.query;
    const { attribute } = createAttribution({ ledgers: one.ledgers, db: { query }, region: "eu" });
    const found = await Promise.all(
      Array.from({ length: 5 }, () => pairs.map(({ bot }, n) => attribute(bot, `c${n}`))).flat(),
    );
    expect(found).toEqual(Array.from({ length: 5 }, () => started).flat());
    // The second proves them.
    expect(queries).toBe(2);
  });
});

describe("every entry about an action", () => {
  it("names the session of its caller, and follow-ups use the conversation of the proposal", async () => {
    const { person, bot } = pair();
    const talk = await begin(bot, "c");
    const desk = await begin(calling(approver));
    const { action } = await one.actions.propose(bot, write({ conversationId: "c" }));
    const actionId = action.state.id;
    const { digest } = termsOf(action.proposal);
    await begin(bot, "d");
    await begin(bot);
    const refused = await refusalOf(one.actions.claimGrant(bot, { actionId }));
    expect(refused.code).toBe("NOT_APPROVED");
    await refusalOf(one.actions.approve(bot, { actionId, digest, channel: "API" }));
    await one.actions.approve(calling(approver), { actionId, digest, channel: "API" });
    const { grant } = await two.actions.claimGrant(bot, { actionId });
    const foreign = await refusalOf(one.actions.redeemGrant(person, { token: grant.token, digest }));
    expect(foreign.entry?.body.session).toBeUndefined();
    await two.actions.redeemGrant(bot, { token: grant.token, digest });
    await one.actions.complete(bot, { actionId, outcome: "SUCCEEDED" });
    const entries = await entriesOf(one.pool, actionId);
    expect(entries.map(({ type, body }) => [type, body.session])).toEqual([
      ["ACTION_PROPOSED", talk],
      ["DECISION_REFUSED", talk],
      ["ACTION_APPROVED", desk],
      ["GRANT_ISSUED", talk],
      ["GRANT_REFUSED", undefined],
      ["GRANT_REDEEMED", talk],
      ["ACTION_COMPLETED", talk],
    ]);
    await sessions.end(calling(approver), { sessionId: desk });
  });

  it("names it also when the token is nobody's, and when one is superseded or cancelled", async () => {
    const { bot } = pair();
    const talk = await begin(bot, "c");
    const unknown = await refusalOf(one.actions.redeemGrant(bot, { token: "none", digest: "sha256:00" }));
    expect(unknown.entry?.body.session).toBe(talk);
    const earlier = await one.actions.propose(bot, write({ conversationId: "c" }));
    const later = await one.actions.propose(
      bot,
      write({ conversationId: "c", supersedes: earlier.action.state.id, arguments: { reservation_id: "OTHER" } }),
    );
    await one.actions.cancel(bot, { actionId: later.action.state.id });
    expect(await sessionsOf(earlier.action.state.id)).toEqual([talk, talk]);
    expect(await sessionsOf(later.action.state.id)).toEqual([talk, talk]);
  });

  it("is the same proposal when it is repeated after the session", async () => {
    const { bot } = pair();
    const talk = await begin(bot, "c");
    const input = read({ conversationId: "c" });
    const first = await one.actions.propose(bot, input);
    await sessions.end(bot, { sessionId: talk });
    await begin(bot, "c");
    const again = await two.actions.propose(bot, input);
    expect(again.entry.seq).toBe(first.entry.seq);
    expect(again.entry.body.session).toBe(talk);
  });

  it("names no session that has ended before it, and is recorded all the same", async () => {
    for (let round = 0; round < 5; round += 1) {
      const { person, bot } = pair();
      const fallback = round % 2 === 0 ? undefined : await begin(person);
      const talk = await begin(bot, "c");
      const held = await Promise.all(Array.from({ length: 10 }, () => one.actions.propose(bot, read())));
      const work: readonly (() => Promise<unknown>)[] = [
        ...Array.from({ length: 50 }, (_, n) => () => {
          const { actions } = n % 2 === 0 ? one : two;
          return actions.propose(bot, read({ conversationId: n % 3 === 0 ? "c" : `c${n % 5}` }));
        }),
        ...held.map(({ grant, action }) => () => {
          const { digest } = termsOf(action.proposal);
          return two.actions.redeemGrant(bot, { token: grant!.token, digest });
        }),
        ...Array.from({ length: 10 }, () => () => {
          return refusalOf(one.actions.redeemGrant(bot, { token: "x", digest: "y" }));
        }),
      ];
      const begun = work.slice(0, 30).map((start) => start());
      const ended = elsewhere.end(bot, { sessionId: talk });
      begun.push(...work.slice(30).map((start) => start()));
      await Promise.all(begun);
      const end = (await ended).entry.seq;
      const { rows } = await one.pool.query<{ seq: string; type: string; session_id: string | null; named: string }>(
        `SELECT seq, type, session_id, entry::jsonb #>> '{body,conversation}' AS named FROM oc_audit_log
          WHERE ledger = $1 AND actor_id = $2 AND type NOT LIKE 'SESSION%' ORDER BY seq`,
        [LEDGER, bot.principal.id],
      );
      expect(rows).toHaveLength(held.length + work.length);
      const isTalk = (named: string | null) => named === "c" || named === null;
      for (const { seq, session_id, named } of rows) {
        const expected = BigInt(seq) < end && isTalk(named) ? talk : (fallback ?? null);
        expect(session_id).toBe(expected);
      }
      expect(rows.some(({ session_id }) => session_id === talk)).toBe(true);
      expect(rows.some(({ seq }) => BigInt(seq) > end)).toBe(true);
    }
  });

  it("belongs to the next session when its own ended after the look and before the entry", async () => {
    const { person, bot } = pair();
    const fallback = await begin(person);
    const talk = await begin(bot, "c");
    const { action, grant } = await one.actions.propose(bot, read({ conversationId: "c" }));
    expect(action.proposal.body.session).toBe(talk);
    const { ended, made } = await withClient(world.database.superuserUrl, async (holder) => {
      const waiting = (count: number) =>
        waitUntil(async () => {
          const { rows } = await holder.query(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
          );
          return rows.length === count;
        });
      await holder.query("BEGIN");
      await holder.query("SELECT FROM oc_ledger_head FOR UPDATE");
      const end = elsewhere.end(bot, { sessionId: talk });
      await waiting(1);
      // Whoever looks now still finds the session open; whoever waits first goes first.
      const work = [
        ...Array.from({ length: 5 }, () => one.actions.propose(bot, read({ conversationId: "c" }))),
        one.actions.redeemGrant(bot, { token: grant!.token, digest: termsOf(action.proposal).digest }),
        refusalOf(one.actions.redeemGrant(bot, { token: "none", digest: "" })),
        refusalOf(one.actions.approve(bot, { actionId: action.state.id, digest: "", channel: "API" })),
      ];
      await waiting(2);
      await holder.query("COMMIT");
      return { ended: (await end).entry, made: await Promise.all(work) };
    });
    expect(made).toHaveLength(8);
    for (const { entry } of made) {
      expect(entry!.seq).toBeGreaterThan(ended.seq);
      expect(entry!.body.session).toBe(fallback);
    }
  });
});
