import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSessions, type Sessions } from "../../../src/domain/sessions/sessions.ts";
import { verifyLedger } from "../../support/ledgers.ts";
import { agent, calling, createWorld, human, LEDGER, type Process, read, type World } from "../support.ts";

let world: World;
let servers: readonly { readonly process: Process; readonly sessions: Sessions }[];

beforeAll(async () => {
  world = await createWorld();
  const processes = await Promise.all([world.process(), world.process()]);
  servers = processes.map((process) => ({
    process,
    sessions: createSessions({ ledgers: process.ledgers, db: process.pool, region: "eu" }),
  }));
});
afterAll(() => world.close());

const server = (n: number) => servers[n % servers.length]!;
const codes = async (works: readonly Promise<unknown>[]) =>
  (await Promise.allSettled(works)).map((outcome) =>
    outcome.status === "fulfilled" ? "OK" : String((outcome.reason as { code?: string }).code ?? outcome.reason),
  );

it("starts, uses and ends 64 sessions at once on two servers", async () => {
  const bots = Array.from({ length: 64 }, () =>
    calling({ ...agent, id: `agent-${randomUUID()}`, onBehalfOf: human("m") }),
  );
  const begun = await Promise.all(bots.map((bot, n) => server(n).sessions.start(bot, { conversationId: "c" })));
  const ends = begun.flatMap(({ session }, n) =>
    [0, 1, 2].map((more) => server(n + more).sessions.end(bots[n]!, { sessionId: session.id })),
  );
  const steps = bots.map((bot, n) => server(n + 1).process.actions.propose(bot, read({ conversationId: "c" })));
  const ended = await codes(ends);
  expect(ended.filter((code) => code === "OK")).toHaveLength(64);
  expect(ended.filter((code) => code === "ALREADY_ENDED")).toHaveLength(128);
  expect(new Set(await codes(steps))).toEqual(new Set(["OK"]));
  const strangers = bots.map((_, n) =>
    server(n).sessions.end(bots[(n + 1) % 64]!, { sessionId: begun[n]!.session.id }),
  );
  expect(new Set(await codes(strangers))).toEqual(new Set(["NOT_FOUND"]));
  expect(await verifyLedger(server(0).process.pool, LEDGER)).toMatchObject({ verdict: "INTACT", problems: [] });
});
