// What channels cost: proposals while a channel is out of reach and thousands of notices wait, against a server without channels; and the time
// from a press in Slack to the event of the agent, against the same by the API. `npm run bench:channels -- --help`; see README.md.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { startFakeSlack } from "../support/slack/fake-slack.ts";
import { type Connection, openConnection } from "./api/connection.ts";
import { HERE, type Product, startProduct } from "./api/servers.ts";
import { conversationOf, proposingTogether } from "./api/work.ts";
import { subscribe } from "./inbox/events.ts";
import { intervalOfMedian, median, table } from "./load.ts";
import { readOptions } from "./options.ts";

const options = readOptions("Channels: notices that wait, and decisions in Slack.", {
  notices: { says: "notices that wait", unit: "notices", from: 100, to: 1_000_000, otherwise: 10_000 },
  rounds: { says: "decisions by each way, in turn", unit: "rounds", from: 1, to: 10_000, otherwise: 100 },
});
/** Actions that one request proposes, and requests of a round on each server. */
const BATCH = 20;
const REQUESTS = 10;
/** Parts of the proposals that are reported each by itself. */
const PARTS = 4;

const answered = z.strictObject({ data: z.unknown() });

async function answerOf<Data>(
  connection: Connection,
  token: string,
  [query, variables]: readonly [string, object?],
  shape: z.ZodType<Data>,
): Promise<Data> {
  const answer = await connection.post(JSON.stringify({ query, variables }), token);
  const parsed = shape.safeParse(answered.safeParse(answer).data?.data);
  if (!parsed.success) throw new Error(`unexpected answer: ${JSON.stringify(answer).slice(0, 500)}`);
  return parsed.data;
}

async function configure(connection: Connection, admin: string, input: object): Promise<void> {
  const query = "mutation($input:ConfigureChannelInput!){configureChannel(input:$input){userErrors{code message}}}";
  const refused = z.object({ configureChannel: z.object({ userErrors: z.array(z.unknown()).length(0) }) });
  await answerOf(connection, admin, [query, { input }], refused);
}

const format = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const withInterval = (values: readonly number[]) => {
  const [low, high] = intervalOfMedian(values);
  return `${median(values).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
};

/** Proposals on both servers in turn, until as many notices wait as were asked for; then the channel is back. */
async function measureWaiting(): Promise<void> {
  const got: string[] = [];
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      got.push(z.object({ subject: z.string() }).parse(JSON.parse(Buffer.concat(chunks).toString())).subject);
      response.writeHead(204).end();
    });
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const { port } = receiver.address() as AddressInfo;
  receiver.close();

  const servers = [
    await startProduct(HERE),
    await startProduct(HERE, { CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1", LOG_LEVEL: "fatal" }),
  ] as const;
  try {
    const [, told] = servers;
    const connections = await Promise.all(servers.map(({ url }) => openConnection(url)));
    const admin = await told.sign("admin");
    const signingSecrets = [`whsec_${Buffer.alloc(24, 7).toString("base64")}`];
    await configure(connections[1]!, admin, {
      name: "events",
      webhook: { url: `http://127.0.0.1:${port}/`, signingSecrets },
    });
    const ratios: number[] = [];
    const memory: (readonly number[])[] = [];
    for (let made = 0; made < options.notices; made += BATCH * REQUESTS) {
      if (made >= (memory.length * options.notices) / PARTS) {
        memory.push(await Promise.all(servers.map((server) => server.memory())));
      }
      process.stderr.write(`\r${made} of ${options.notices} actions on each server `);
      const took = [];
      for (const [at, server] of servers.entries()) {
        const propose = proposingTogether("WRITE", server.tokens.agent, BATCH);
        const started = performance.now();
        for (let n = 0; n < REQUESTS; n += 1) await propose(connections[at]!, conversationOf(n), () => undefined);
        took.push(performance.now() - started);
      }
      ratios.push(took[0]! / took[1]!);
    }
    const queue = z.object({ channels: z.array(z.object({ queue: z.object({ waiting: z.number() }) })).length(1) });
    const waiting = async () =>
      (await answerOf(connections[1]!, admin, ["{channels{queue{waiting}}}"], queue)).channels[0]!.queue.waiting;
    while ((await waiting()) < options.notices) await sleep(200);
    memory.push(await Promise.all(servers.map((server) => server.memory())));
    const order = await orderOfNotices(connections[1]!, admin);
    const back = performance.now();
    receiver.listen(port, "127.0.0.1");
    // It is looked for when its pause is over, which is longer the longer it was out of reach.
    while (got.length === 0) await sleep(10);
    const [started, before] = [performance.now(), got.length];
    while (got.length < options.notices) await sleep(10);
    const seconds = (performance.now() - started) / 1_000;
    const inOrder = order.every((uuid, at) => got[at] === uuid);
    process.stderr.write("\n");
    const part = (at: number) =>
      ratios.slice(Math.floor((at * ratios.length) / PARTS), Math.ceil(((at + 1) * ratios.length) / PARTS));
    const rows = Array.from({ length: PARTS }, (_, at) => [
      `${format((options.notices * (at + 1)) / PARTS)}`,
      withInterval(part(at)),
      ...[0, 1].map((side) => format((memory[at + 1]?.[side] ?? 0) - (memory[at]?.[side] ?? 0))),
    ]);
    const heads = [
      "notices that wait, up to",
      "rate of proposing ÷ that without channels",
      "MB added meanwhile, without channels",
      "MB, with one out of reach",
    ];
    process.stdout.write(
      `${table(heads, rows)}\n\nIt was found to be back after ${format((started - back) / 1_000)} s; from then on ${format((options.notices - before) / seconds)} notices a second, ${inOrder ? "in order" : "NOT in order"}.\n\n`,
    );
    for (const connection of connections) connection.close();
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    receiver.closeAllConnections();
    receiver.close();
  }
}

async function orderOfNotices(connection: Connection, admin: string): Promise<readonly string[]> {
  const page = z.object({
    undeliveredNotices: z.object({
      nodes: z.array(z.object({ action: z.object({ uuid: z.string() }) })),
      pageInfo: z.object({ endCursor: z.string().nullable(), hasNextPage: z.boolean() }),
    }),
  });
  const order: string[] = [];
  const query =
    "query($after:String){undeliveredNotices(first:100,after:$after){nodes{action{uuid}} pageInfo{endCursor hasNextPage}}}";
  for (let after: string | null = null; ; ) {
    const answer: z.infer<typeof page> = await answerOf(connection, admin, [query, { after }], page);
    const { nodes, pageInfo } = answer.undeliveredNotices;
    order.push(...nodes.map(({ action }) => action.uuid));
    if (!pageInfo.hasNextPage) return order;
    after = pageInfo.endCursor;
  }
}

const proposed = z.object({
  proposeAction: z.object({
    action: z.object({ id: z.string(), digest: z.string() }),
    entry: z.object({ seq: z.string() }),
  }),
});
const decidedEvent = z.object({ data: z.object({ actionChanged: z.object({ status: z.literal("APPROVED") }) }) });

/** From a press in Slack, or a call of the API, to the event that the agent's subscription gets. */
async function measureDecisions(): Promise<void> {
  const slack = await startFakeSlack();
  slack.channels.add("C0OPS");
  slack.addUser("U0ANN");
  const server = await startProduct(HERE, {
    SLACK_API_URL: slack.apiUrl,
    CHANNEL_PRIVATE_ADDRESSES: "127.0.0.1",
    CHANNEL_INTERVAL: "0.1",
  });
  try {
    const connection = await openConnection(server.url);
    const { teamId, appId, botToken, signingSecret } = slack;
    await configure(connection, await server.sign("admin"), {
      name: "ops",
      slack: { mode: "HTTP", teamId, appId, channelId: "C0OPS", botToken, signingSecret },
    });
    slack.setRequestUrl(new URL("/channels/slack/acme/ops", server.url).href);
    await link(connection, server, slack);
    const [bySlack, byApi, answers]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < options.rounds; round += 1) {
      process.stderr.write(`\r${round} of ${options.rounds} decisions `);
      bySlack.push(
        await decide(connection, server, async ({ digest }) => {
          const message = await messageAbout(slack, digest);
          return async () => void answers.push((await slack.press("U0ANN", message, "Approve")).took);
        }),
      );
      byApi.push(
        await decide(connection, server, async ({ id, digest }) => {
          const query = "mutation($input:ApproveActionInput!){approveAction(input:$input){userErrors{code}}}";
          const done = z.object({ approveAction: z.object({ userErrors: z.array(z.unknown()).length(0) }) });
          const { approver } = server.tokens;
          return () => answerOf(connection, approver, [query, { input: { actionId: id, digest } }], done);
        }),
      );
    }
    process.stderr.write("\n");
    process.stdout.write(
      `${table(
        ["a decision to the agent's event, ms", "by the API", "by Slack", "ratio"],
        [
          ["median", format(median(byApi)), format(median(bySlack)), (median(bySlack) / median(byApi)).toFixed(2)],
          ["longest", format(Math.max(...byApi)), format(Math.max(...bySlack)), ""],
        ],
      )}\n\nThe response to Slack: ${format(median(answers))} ms at the median, ${format(Math.max(...answers))} ms at most.\n`,
    );
    connection.close();
  } finally {
    await server.stop();
    await slack.close();
  }
}

type Slack = Awaited<ReturnType<typeof startFakeSlack>>;

async function messageAbout(slack: Slack, digest: string) {
  const reference = digest.slice("sha256:".length, "sha256:".length + 8);
  for (;;) {
    const found = slack.posted("C0OPS").find(({ text }) => text.includes(reference));
    if (found !== undefined) return found;
    await sleep(5);
  }
}

async function propose(connection: Connection, server: Product) {
  const query = "mutation($input:ProposeActionInput!){proposeAction(input:$input){action{id digest} entry{seq}}}";
  const input = {
    idempotencyKey: crypto.randomUUID(),
    platform: "reservations",
    tool: "book_reservation",
    arguments: { user_id: crypto.randomUUID() },
  };
  const { action, entry } = (await answerOf(connection, server.tokens.agent, [query, { input }], proposed))
    .proposeAction;
  return { ...action, seq: entry.seq };
}

/** Links the approver, whom the first press tells how. */
async function link(connection: Connection, server: Product, slack: Slack): Promise<void> {
  const { digest } = await propose(connection, server);
  await slack.press("U0ANN", await messageAbout(slack, digest), "Approve");
  while (slack.told("U0ANN").length === 0) await sleep(10);
  await slack.press("U0ANN", slack.told("U0ANN")[0]!, "Link account…");
  while (slack.views.length === 0) await sleep(10);
  const query = 'mutation{startAccountLink(input:{channel:"ops"}){code}}';
  const made = z.object({ startAccountLink: z.object({ code: z.string() }) });
  const { code } = (await answerOf(connection, server.tokens.approver, [query], made)).startAccountLink;
  await slack.submit(slack.views[0]!, code);
}

interface Waiting {
  readonly id: string;
  readonly digest: string;
}

/** Milliseconds from what `ready` returns to the event. */
async function decide(
  connection: Connection,
  server: Product,
  ready: (action: Waiting) => Promise<() => Promise<unknown>>,
): Promise<number> {
  const action = await propose(connection, server);
  const query = `subscription { actionChanged(id: "${action.id}", after: "${action.seq}") { status } }`;
  const events = await subscribe(server.url, query, server.tokens.agent);
  try {
    const act = await ready(action);
    const event = events.next();
    const started = performance.now();
    const done = act();
    decidedEvent.parse(await event);
    const took = performance.now() - started;
    await done;
    return took;
  } finally {
    events.close();
  }
}

await measureDecisions();
await measureWaiting();
