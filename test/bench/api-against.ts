// The API of this checkout against that of another, both started, in turn:
// `npm run bench:api:against -- <checkout> [--seconds 2] [--rounds 15]`. Prints ratios with the 95 % interval of their median.
import { cpus } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { openConnection } from "./api/connection.ts";
import type { Measurable } from "./api/server.ts";
import { startProcess } from "./api/server.ts";
import { HERE, type Product, startProduct } from "./api/servers.ts";
import { conversationOf, cycling, openSessions, proposing, type Tokens, type Work } from "./api/work.ts";
import { drive, intervalOfMedian, median, table } from "./load.ts";

const connections = 64;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "2" }, rounds: { type: "string", default: "15" } },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const other = positionals[0];
if (other === undefined) throw new Error("name the folder of the checkout to compare with");

interface Window {
  readonly requestsPerSecond: number;
  /** Milliseconds of the server's CPU a request. */
  readonly cpu: number;
}

async function measure(server: Measurable, work: Work): Promise<Window> {
  const open = await Promise.all(Array.from({ length: connections }, () => openConnection(server.url)));
  let requests = 0;
  const started = performance.now();
  const before = await server.cpuSeconds();
  try {
    await drive(connections, seconds, (caller) =>
      work(open[caller]!, conversationOf(caller), () => {
        requests += 1;
      }),
    );
    // Until the last request was answered: cycles that are under way at the end count for what they did.
    const elapsed = (performance.now() - started) / 1_000;
    return { requestsPerSecond: requests / elapsed, cpu: (((await server.cpuSeconds()) - before) * 1_000) / requests };
  } finally {
    for (const connection of open) connection.close();
  }
}

interface Side {
  readonly product: Product;
  readonly bare: Measurable;
}

async function start(checkout: string): Promise<Side> {
  const product = await startProduct(checkout);
  await openSessions(product.url, product.tokens.agent, connections);
  return { product, bare: await startProcess(path.join(checkout, "test/bench/api/bare-yoga.ts"), []) };
}

const contests: readonly { name: string; of: (side: Side) => Measurable; work: (tokens: Tokens) => Work }[] = [
  { name: "no-op on a bare Yoga", of: ({ bare }) => bare, work: ({ agent }) => proposing("READ", agent) },
  { name: "proposeAction, a read", of: ({ product }) => product, work: ({ agent }) => proposing("READ", agent) },
  { name: "proposeAction, a write", of: ({ product }) => product, work: ({ agent }) => proposing("WRITE", agent) },
  { name: "whole cycle of a write", of: ({ product }) => product, work: cycling },
];

const [theirs, ours] = [await start(other), await start(HERE)];
try {
  const runs = contests.map((): { theirs: Window; ours: Window }[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { name, of, work }] of contests.entries()) {
      // Each first in every other round.
      const sides = round % 2 === 0 ? ([theirs, ours] as const) : ([ours, theirs] as const);
      const windows = new Map<Side, Window>();
      for (const side of sides) windows.set(side, await measure(of(side), work(side.product.tokens)));
      runs[index]!.push({ theirs: windows.get(theirs)!, ours: windows.get(ours)! });
      process.stderr.write(`round ${round + 1} of ${rounds}: ${name}\n`);
    }
  }
  const ratio = (pairs: readonly number[]) => {
    const [low, high] = intervalOfMedian(pairs);
    return `${median(pairs).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  };
  const rows = contests.map(({ name }, index) => {
    const pairs = runs[index]!;
    return [
      name,
      median(pairs.map((pair) => pair.theirs.requestsPerSecond)).toFixed(0),
      median(pairs.map((pair) => pair.ours.requestsPerSecond)).toFixed(0),
      ratio(pairs.map((pair) => pair.ours.requestsPerSecond / pair.theirs.requestsPerSecond)),
      ratio(pairs.map((pair) => pair.ours.cpu / pair.theirs.cpu)),
    ];
  });
  process.stdout.write(
    `${connections} connections, ${rounds} interleaved rounds of ${seconds} s, Node ${process.version}, ` +
      `${cpus().length} × ${cpus()[0]?.model.trim()}; in brackets the 95 % interval of the median\n\n` +
      `${table(["", "other, requests/s", "this, requests/s", "this ÷ other", "server CPU a request"], rows)}\n`,
  );
} finally {
  await Promise.all([theirs, ours].flatMap(({ product, bare }) => [product.stop(), bare.stop()]));
}
