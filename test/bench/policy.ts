// What a policy of many rules costs proposeAction: two servers, one with the policy that servers start with, one with a published document
// of 200 rules, in turn. `npm run bench:policy -- --help`; see README.md.
import { cpus } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { openConnection } from "./api/connection.ts";
import { HERE, type Product, startProduct } from "./api/servers.ts";
import { conversationOf, openSessions, proposing } from "./api/work.ts";
import { intervalOfMedian, median, percentile, table } from "./load.ts";
import { readOptions } from "./options.ts";
import { documentOf } from "./policy/document.ts";

const options = readOptions(
  "What a policy of many rules costs proposeAction, against the two rules that servers start with.",
  {
    rules: { says: "rules of the large policy", unit: "rules", from: 2, to: 500, otherwise: 200 },
    pairs: { says: "batches on either server, in turn", unit: "pairs", from: 1, to: 1_000, otherwise: 15 },
    proposals: { says: "size of a batch", unit: "proposals", from: 1, to: 1_000_000, otherwise: 3_000 },
    connections: { says: "callers at the same time", unit: "connections", from: 1, to: 256, otherwise: 16 },
  },
);

const published = z.strictObject({
  data: z.strictObject({
    step: z.object({
      action: z.object({ id: z.string(), digest: z.string(), status: z.string() }),
      userErrors: z.array(z.unknown()).length(0),
    }),
  }),
});
const inForce = z.object({ data: z.object({ policy: z.object({ version: z.number() }) }) });

/** Publishes `document` on a server, and waits until it is in force. */
async function publish(server: Product, document: string): Promise<void> {
  const [admin, other] = [await server.sign("admin"), await server.sign("admin2")];
  const connection = await openConnection(server.url);
  try {
    const ask = (query: string, token: string, input?: object) =>
      connection.post(JSON.stringify({ query, variables: { input } }), token);
    const step = async (name: string, type: string, input: object, token: string) => {
      const query = `mutation Step($input: ${type}!) { step: ${name}(input: $input) { action { id digest status } userErrors { code message } } }`;
      const answer = await ask(query, token, input);
      const parsed = published.safeParse(answer);
      if (!parsed.success) throw new Error(`unexpected answer: ${JSON.stringify(answer)}`);
      return parsed.data.data.step.action;
    };
    // Whoever was never seen is no administrator yet who could approve.
    await ask("{ viewer { id } }", other);
    const { id, digest } = await step("publishPolicy", "PublishPolicyInput", { document, note: "a benchmark" }, admin);
    await step("approveAction", "ApproveActionInput", { actionId: id, digest }, other);
    while (inForce.parse(await ask("{ policy { version } }", admin)).data.policy.version !== 2) await pause(100);
  } finally {
    connection.close();
  }
}

interface Batch {
  /** From the first request to the last answer. */
  readonly milliseconds: number;
  /** Of the server process, for a proposal. */
  readonly cpuMilliseconds: number;
  readonly latencies: readonly number[];
}

async function batch(server: Product): Promise<Batch> {
  const connections = await Promise.all(Array.from({ length: options.connections }, () => openConnection(server.url)));
  const work = proposing("WRITE", server.tokens.agent);
  const latencies: number[] = [];
  let left = options.proposals;
  const before = await server.cpuSeconds();
  const started = performance.now();
  await Promise.all(
    connections.map(async (connection, caller) => {
      while (left > 0) {
        left -= 1;
        const begun = performance.now();
        await work(connection, conversationOf(caller), () => undefined);
        latencies.push(performance.now() - begun);
      }
    }),
  );
  const milliseconds = performance.now() - started;
  for (const connection of connections) connection.close();
  const cpuMilliseconds = (((await server.cpuSeconds()) - before) * 1_000) / latencies.length;
  return { milliseconds, cpuMilliseconds, latencies };
}

async function start(document?: string): Promise<Product> {
  const server = await startProduct(HERE);
  if (document !== undefined) await publish(server, document);
  await openSessions(server.url, server.tokens.agent, options.connections);
  return server;
}

const servers = { few: await start(), many: await start(JSON.stringify(await documentOf(options.rules))) };
const sides = { few: [] as Batch[], many: [] as Batch[] };
try {
  // Once before it counts.
  for (const server of Object.values(servers)) await batch(server);
  for (let pair = 0; pair < options.pairs; pair += 1) {
    // Each first in every other pair.
    for (const side of pair % 2 === 0 ? (["few", "many"] as const) : (["many", "few"] as const)) {
      sides[side].push(await batch(servers[side]));
    }
    const ratio = sides.many[pair]!.milliseconds / sides.few[pair]!.milliseconds;
    process.stderr.write(`pair ${pair + 1} of ${options.pairs}: ${ratio.toFixed(3)} times as long\n`);
  }
} finally {
  await Promise.all(Object.values(servers).map((server) => server.stop()));
}

const ratioOf = (of: (batch: Batch) => number) => {
  const ratios = sides.many.map((one, at) => of(one) / of(sides.few[at]!));
  const [low, high] = intervalOfMedian(ratios);
  return `${median(ratios).toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
};
const row = (name: string, digits: number, of: (batch: Batch) => number) => [
  name,
  median(sides.few.map(of)).toFixed(digits),
  median(sides.many.map(of)).toFixed(digits),
  ratioOf(of),
];
const latency = (share: number) => (batch: Batch) =>
  percentile(
    [...batch.latencies].sort((a, b) => a - b),
    share,
  );
process.stdout.write(
  `${options.pairs} pairs of ${options.proposals} writes over ${options.connections} connections, Node ${process.version}, ` +
    `${cpus().length} × ${cpus()[0]?.model.trim()}; in brackets the 95 % interval of the median\n\n` +
    `${table(
      ["proposeAction", "2 rules", `${options.rules} rules`, "ratio"],
      [
        row("ms a proposal", 3, ({ milliseconds }) => milliseconds / options.proposals),
        row("p50 ms", 2, latency(0.5)),
        row("p95 ms", 2, latency(0.95)),
        row("server CPU ms a proposal", 3, ({ cpuMilliseconds }) => cpuMilliseconds),
      ],
    )}\n`,
);
