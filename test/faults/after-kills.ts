import { Pool } from "pg";
import { checkSegments, fullSegments } from "../../src/ledger/search/build.ts";
import type { App } from "../support/app.ts";
import { waitUntil } from "../support/wait.ts";
import type { Installation } from "./killing.ts";
import type { Organizations } from "./organizations.ts";
import { countByAction, readLedger } from "./read-ledger.ts";
import { type CycleLoad, ENTRY_OF } from "./whole-cycles.ts";

/** Milliseconds: a segment that a killed server had claimed is built by another one after a minute. */
const CATCH_UP = 300_000;
const EACH_ONCE = [ENTRY_OF.propose, ENTRY_OF.approve, ENTRY_OF.redeem, ENTRY_OF.complete];

/** What is wrong after kills under load: in the ledgers, by verification, by the watchers, and in the search index. */
export async function findFaults(installation: Installation, load: CycleLoad): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const organization of installation.organizations.names) {
    faults.push(...(await faultsOfLedger(installation, organization, load)));
    for (const { name, app } of installation.places) {
      if (app === undefined) faults.push(`${name} is not running`);
      else faults.push(...(await faultsOfServer(installation.organizations, organization, { name, app })));
    }
  }
  for (const { lines } of installation.apps) faults.push(...lines.filter(isAlarm));
  return [...faults, ...(await faultsOfIndex(installation))];
}

/** Whether a line of a server's log says that something is wrong with a ledger, or with the server. */
function isAlarm(line: string): boolean {
  return /"level":"(?:error|fatal)"|a problem of a ledger was found/.test(line);
}

async function faultsOfLedger(
  { postgres }: Installation,
  organization: string,
  { recorded }: CycleLoad,
): Promise<readonly string[]> {
  const faults: string[] = [];
  const ledger = `${organization}/eu`;
  const entries = await readLedger(postgres.url, ledger);
  const bySeq = new Map(entries.map((entry) => [entry.seq, entry]));
  const own = recorded.filter((one) => one.organization === organization);
  for (const { step, action, seq, hash } of own) {
    const entry = bySeq.get(seq);
    if (entry === undefined || `sha256:${entry.hash}` !== hash) faults.push(`${step} at ${seq} of ${ledger} is lost`);
    else if (entry.body.type !== ENTRY_OF[step] || entry.body.action !== action) {
      faults.push(`${seq} of ${ledger} is ${entry.body.type} of ${entry.body.action}, not ${step} of ${action}`);
    }
  }
  // Every cycle came to its end, so each of its entries is there once, whoever was told what.
  const actions = new Set(own.map(({ action }) => action));
  for (const type of EACH_ONCE) {
    const counts = countByAction(entries, type);
    for (const action of actions) {
      if (counts.get(action) !== 1) faults.push(`${action} of ${ledger} has ${counts.get(action) ?? 0} ${type}`);
    }
    for (const action of counts.keys()) {
      if (!actions.has(action)) faults.push(`${type} of ${action} of ${ledger} is nobody's: a key made two actions`);
    }
  }
  const grants = entries.filter(({ body }) => body.type === ENTRY_OF.redeem).map(({ body }) => body.grant?.id);
  if (new Set(grants).size !== grants.length) faults.push(`a grant of ${ledger} was redeemed twice`);
  return faults;
}

interface Verified {
  readonly verifyLedger: { readonly verdict: string; readonly problems: readonly unknown[] };
}
interface Healthy {
  readonly ledger: {
    readonly head: { readonly seq: string };
    readonly health: {
      readonly condition: string;
      readonly verifiedTo: string;
      readonly problems: readonly { readonly detail: string }[];
    };
  };
}

/** What a server finds wrong with the ledger of `organization`: by a verification now, and by its watcher. */
export async function faultsOfServer(
  organizations: Organizations,
  organization: string,
  { name, app }: { readonly name: string; readonly app: App },
): Promise<readonly string[]> {
  const token = await organizations.token(organization, "auditor");
  const ask = async <Data>(query: string): Promise<Data> => {
    const { data, errors } = await app.post<Data>(query, {}, token);
    if (!data || errors !== undefined) throw new Error(`${name}: ${JSON.stringify(errors)}`);
    return data;
  };
  const about = `${organization}/eu at ${name}`;
  const { verifyLedger } = await ask<Verified>("{ verifyLedger { verdict problems { verdict seq detail } } }");
  const { verdict, problems } = verifyLedger;
  const faults = verdict === "INTACT" ? [] : [`${about} is ${verdict}: ${JSON.stringify(problems)}`];
  const read = async () => {
    const text = "{ ledger { head { seq } health { condition verifiedTo problems { verdict seq detail } } } }";
    return (await ask<Healthy>(text)).ledger;
  };
  await waitUntil(async () => {
    const { head, health } = await read();
    return health.condition !== "OK" || BigInt(health.verifiedTo) >= BigInt(head.seq);
  }, CATCH_UP);
  const { health } = await read();
  if (health.condition !== "OK") faults.push(`the watcher says of ${about}: ${JSON.stringify(health)}`);
  const ready = await fetch(new URL("/readyz", app.url));
  if (ready.status !== 200) faults.push(`${name} is not ready: ${await ready.text()}`);
  return faults;
}

/** The index has to become complete, and to have of every segment what its entries say. */
async function faultsOfIndex({ postgres }: Installation): Promise<readonly string[]> {
  const pool = new Pool({ connectionString: postgres.url, max: 2 });
  try {
    const full = await fullSegments(pool);
    const built = async () => {
      const { rows } = await pool.query<{ built: string }>(
        "SELECT count(*) AS built FROM oc_work.search_segment WHERE format IS NOT NULL",
      );
      return Number(rows[0]?.built);
    };
    await waitUntil(async () => (await built()) >= full, CATCH_UP);
    const faults: string[] = [];
    for await (const { id, correct } of checkSegments(pool)) {
      if (!correct) faults.push(`segment ${id.segment} of the search index of ${id.ledger} is wrong`);
    }
    return faults;
  } finally {
    await pool.end();
  }
}
