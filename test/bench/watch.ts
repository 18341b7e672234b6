// What the watcher of a server takes, with many ledgers: at the start, at rest, and while one ledger grows as fast as one
// caller can propose. `npm run bench:watch`; see README.md.
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { migrate } from "../../src/db/migrate.ts";
import { forget, startApp } from "../support/app.ts";
import { silent } from "../support/log.ts";
import { startTestServer, withClient } from "../support/server.ts";

const LEDGERS = Number(process.env.LEDGERS ?? 1_000);
const SECONDS = Number(process.env.SECONDS ?? 60);

const postgres = await startTestServer();
await migrate({ connectionString: postgres.url, log: silent });
await withClient(postgres.url, async (client) => {
  for (let at = 0; at < LEDGERS; at++) {
    const body = {
      actor: { groups: [], id: "countersign", kind: "SERVICE", roles: [] },
      id: randomUUID(),
      type: "LEDGER_CREATED",
    };
    await client.query("SELECT oc_ledger_create($1, $2)", [`tenant-${at}/eu`, JSON.stringify(body)]);
  }
});
const began = performance.now();
const app = await startApp({ databaseUrl: postgres.url, environment: { METRICS_PORT: "0" } });

async function metric(name: string): Promise<number> {
  const text = await (await fetch(new URL("/metrics", app.operationsUrl))).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}
const spent = () => metric("countersign_watch_seconds_total");

async function report(what: string, seconds: number, before: number): Promise<void> {
  const took = (await spent()) - before;
  console.log(
    `${what}: ${took.toFixed(2)} s of work in ${seconds.toFixed(0)} s, ${((100 * took) / seconds).toFixed(2)} % of a core`,
  );
}

while (
  (await metric("countersign_watch_waiting")) > 0 ||
  (await metric('countersign_ledgers{condition="OK"}')) < LEDGERS
)
  await pause(500);
await report(`the ends of ${LEDGERS} ledgers, at the start`, (performance.now() - began) / 1_000, 0);

async function during(what: string, work: (until: number) => Promise<void>): Promise<void> {
  const before = await spent();
  const from = performance.now();
  await work(from + SECONDS * 1_000);
  await report(what, (performance.now() - from) / 1_000, before);
}
await during("as a whole, one after the other", (until) => pause(until - performance.now()));

let entries = 0;
await during("while one ledger grows", async (until) => {
  while (performance.now() < until) {
    const input = { idempotencyKey: randomUUID(), platform: "crm", tool: "get_user_details", arguments: {} };
    await app.ask(
      "mutation($input:ProposeActionInput!){proposeAction(input:$input){userErrors{code}}}",
      { input },
      "agent",
    );
    entries += 1;
  }
});
type Read = {
  readonly ledger: { readonly head: { readonly seq: string }; readonly health: { readonly verifiedTo: string } };
};
const read = async () => (await app.ask<Read>("{ledger{head{seq} health{verifiedTo}}}", {}, "auditor")).ledger;
const { head, health } = await read();
console.log(
  `${entries} entries recorded; verified ${BigInt(head.seq) - BigInt(health.verifiedTo)} entries behind the head`,
);

await app.stop();
await forget(app);
await postgres.stop();
