// What a list of many pending approvals costs whoever is to decide: two servers, one with 100 pending actions and one with 10,000, in turn: the
// first page, a deep page, and the time from a proposal to its event. `npm run bench:inbox -- --help`; see README.md.
import { cpus } from "node:os";
import { z } from "zod";
import { openConnection } from "./api/connection.ts";
import { HERE, type Product, startProduct } from "./api/servers.ts";
import { conversationOf, proposing, proposingTogether } from "./api/work.ts";
import { subscribe } from "./inbox/events.ts";
import { intervalOfMedian, median, percentile, table } from "./load.ts";
import { readOptions } from "./options.ts";

const options = readOptions("The inbox of an approver with many pending actions, against one with few.", {
  few: { says: "pending actions of the one server", unit: "actions", from: 40, to: 1_000_000, otherwise: 100 },
  many: { says: "pending actions of the other", unit: "actions", from: 40, to: 1_000_000, otherwise: 10_000 },
  rounds: { says: "measurements of each on either, in turn", unit: "rounds", from: 1, to: 10_000, otherwise: 200 },
});
/** Actions that one request proposes while a server is filled. */
const BATCH = 20;
const PAGE = 20;

const page = z.strictObject({
  data: z.strictObject({
    pendingApprovals: z.object({
      nodes: z.array(z.object({ id: z.string() })).length(PAGE),
      pageInfo: z.object({ endCursor: z.string(), hasNextPage: z.boolean() }),
    }),
  }),
});
const added = z.object({
  data: z.object({
    pendingApprovals: z.object({ change: z.string(), action: z.object({ id: z.string() }).nullable() }),
  }),
});

const NODES = "nodes { id platform tool status digest viewerCanDecide expiresAt } pageInfo { endCursor hasNextPage }";
const EVENT = "cursor change action { id platform tool status digest viewerCanDecide }";

type Ask = (more: string) => Promise<{ readonly end: string; readonly more: boolean }>;

/** Opens a connection for one measurement: a server closes one that rests. */
async function asking<Result>({ url, tokens }: Product, work: (ask: Ask) => Promise<Result>): Promise<Result> {
  const connection = await openConnection(url);
  try {
    return await work(async (more) => {
      const query = `{ pendingApprovals(first: ${PAGE}${more}) { ${NODES} } }`;
      const answer = await connection.post(JSON.stringify({ query }), tokens.approver);
      const parsed = page.safeParse(answer);
      if (!parsed.success) throw new Error(`unexpected answer: ${JSON.stringify(answer).slice(0, 500)}`);
      const { endCursor, hasNextPage } = parsed.data.data.pendingApprovals.pageInfo;
      return { end: endCursor, more: hasNextPage };
    });
  } finally {
    connection.close();
  }
}

interface Side {
  readonly server: Product;
  /** Behind it, a page is the last full one. */
  readonly deep: string;
}

async function start(pending: number): Promise<Side> {
  const server = await startProduct(HERE);
  started.push(server);
  const connections = await Promise.all(Array.from({ length: 4 }, () => openConnection(server.url)));
  let left = Math.ceil(pending / BATCH);
  const fill = proposingTogether("WRITE", server.tokens.agent, BATCH);
  await Promise.all(
    connections.map(async (connection, caller) => {
      while (left > 0) {
        left -= 1;
        if (left % 50 === 0) process.stderr.write(`\r${left * BATCH} proposals left of ${pending} `);
        await fill(connection, conversationOf(caller), () => undefined);
      }
      connection.close();
    }),
  );
  process.stderr.write("\n");
  const deep = await asking(server, async (ask) => {
    let after = "";
    let before = "";
    for (let at = PAGE; at < pending; at += PAGE) {
      before = after;
      after = (await ask(after)).end;
      after = `, after: ${JSON.stringify(after)}`;
    }
    return before;
  });
  return { server, deep };
}

/** Milliseconds of `work`, once it was done before: whoever comes after a rest finds the machine in another state. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  await work();
  const started = performance.now();
  await work();
  return performance.now() - started;
}

const pageOf =
  (more: (side: Side) => string) =>
  (side: Side): Promise<number> =>
    asking(side.server, (ask) => timed(() => ask(more(side))));

const position = z.object({ data: z.object({ ledger: z.object({ head: z.object({ seq: z.string() }) }) }) });

/** From the call that proposes to the event on a subscription that is `opened`, or from the call that subscribes. */
const eventOf =
  (more: string, opened: boolean) =>
  async ({ server }: Side): Promise<number> => {
    const connection = await openConnection(server.url);
    const propose = proposing("WRITE", server.tokens.agent);
    // From there on nothing is missed, whichever of the two calls comes first.
    const head = await connection.post(
      JSON.stringify({ query: "{ ledger { head { seq } } }" }),
      server.tokens.approver,
    );
    const { seq } = position.parse(head).data.ledger.head;
    const query = `subscription { pendingApprovals(after: "${seq}"${more}) { ${EVENT} } }`;
    const started = performance.now();
    const events = await subscribe(server.url, query, server.tokens.approver);
    try {
      const begun = opened ? performance.now() : started;
      const [event] = await Promise.all([events.next(), propose(connection, conversationOf(0), () => undefined)]);
      const took = performance.now() - begun;
      const { change } = added.parse(event).data.pendingApprovals;
      if (change !== "ADDED") throw new Error(`unexpected event: ${change}`);
      return took;
    } finally {
      events.close();
      connection.close();
    }
  };

const MEASURED: readonly (readonly [name: string, measure: (side: Side) => Promise<number>])[] = [
  ["first page", pageOf(() => "")],
  ["first page, onlyDecidable", pageOf(() => ", onlyDecidable: true")],
  ["last full page", pageOf(({ deep }) => deep)],
  ["last full page, onlyDecidable", pageOf(({ deep }) => `${deep}, onlyDecidable: true`)],
  ["proposal to its event", eventOf("", true)],
  ["proposal to its event, onlyDecidable", eventOf(", onlyDecidable: true", true)],
  ["subscribing, proposing, first event", eventOf(", onlyDecidable: true", false)],
];

const started: Product[] = [];
const times = MEASURED.map(() => ({ few: [] as number[], many: [] as number[] }));
try {
  const [few, many] = [await start(options.few), await start(options.many)];
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [at, [, measure]] of MEASURED.entries()) {
      // Each first in every other round.
      for (const side of round % 2 === 0 ? (["few", "many"] as const) : (["many", "few"] as const)) {
        times[at]![side].push(await measure(side === "few" ? few : many));
      }
    }
    process.stderr.write(`\rround ${round + 1} of ${options.rounds}`);
  }
  process.stderr.write("\n");
} finally {
  await Promise.all(started.map((server) => server.stop()));
}

const share = (values: readonly number[], of: number) =>
  percentile(
    [...values].sort((a, b) => a - b),
    of,
  ).toFixed(1);
const rows = MEASURED.map(([name], at) => {
  const { few, many } = times[at]!;
  const ratios = many.map((value, round) => value / few[round]!);
  const [low, high] = intervalOfMedian(ratios);
  return [
    name,
    share(few, 0.5),
    share(many, 0.5),
    share(few, 0.95),
    share(many, 0.95),
    `${median(ratios).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`,
  ];
});
process.stdout.write(
  `${options.few} and ${options.many} pending actions, ${options.rounds} rounds, Node ${process.version}, ` +
    `${cpus().length} × ${cpus()[0]?.model.trim()}; in brackets the 95 % interval of the median\n\n` +
    `${table(["", `${options.few}, p50 ms`, `${options.many}, p50 ms`, `${options.few}, p95 ms`, `${options.many}, p95 ms`, "ratio"], rows)}\n`,
);
