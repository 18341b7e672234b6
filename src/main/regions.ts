import type { RegionConfig } from "../config-regions.ts";
import type { Database } from "../db/database.ts";
import { classify } from "../db/errors.ts";
import { createAcknowledgements } from "../domain/acknowledgements/acknowledgements.ts";
import { createBeginning } from "../domain/actions/proposing/beginning.ts";
import { createCommit } from "../domain/commit.ts";
import type { CopyPlace } from "../domain/directory/copies.ts";
import type { Directory } from "../domain/directory/directory.ts";
import type { Keys } from "../domain/identity/keys.ts";
import type { FindReads } from "../domain/lineage/possible-reads.ts";
import type { Targets } from "../domain/openlineage/targets.ts";
import { createReadingLog, type ReadingLog } from "../domain/reading-log/reading-log.ts";
import { createHomeCopier } from "../domain/regions/home-copier.ts";
import type { HomeSource } from "../domain/regions/home-source.ts";
import { createPolicyCopies } from "../domain/regions/policy-copies.ts";
import { ConfigurationError } from "../errors.ts";
import type { Services } from "../graphql/base/services.ts";
import type { Metrics } from "../http/metrics.ts";
import type { Queryable } from "../ledger/read.ts";
import { type PolicyParts, startActions } from "./actions.ts";
import { startChannels } from "./channels.ts";
import { type Closing, createClosing } from "./closing.ts";
import { startDatabase, TRY_AGAIN } from "./database.ts";
import { startFollowing } from "./follow.ts";
import { isReady } from "./http.ts";
import { startJobs } from "./jobs.ts";
import { type LedgerParts, startLedger } from "./ledger.ts";
import { startOpenLineage } from "./openlineage.ts";
import { createReads } from "./reads.ts";
import { startSessions } from "./sessions.ts";
import type { Start } from "./start.ts";

/** Milliseconds between two reads of the home ledgers for copies. */
const COPY_EVERY = 1_000;
/** Maximum milliseconds until an empty copy is recorded. */
const RENEW_COPY_EVERY = 6 * 3_600_000;

export interface RegionsDeps {
  /** What the home region has, which does not depend on a region. */
  readonly home: Services;
  readonly homeDatabase: Pick<Database, "jobPool">;
  /** The source of copies. */
  readonly source: HomeSource;
  readonly keys: Keys;
  /** By copies, where the home ledgers cannot be read. */
  readonly policies: PolicyParts;
  readonly findReads: FindReads;
  readonly metrics: Pick<Metrics, "append" | "ledgerProblem">;
  /** Where each region is put once its ledgers can have copies of the home ledgers. */
  readonly places: Map<string, CopyPlace>;
  /** Where each region is put once it works. */
  readonly parts: Map<string, Services>;
  /** Where run events are sent. */
  readonly targets: Targets;
}

/** What metrics and probes ask of a region that works. */
export type RegionState = Pick<LedgerParts, "ledgers" | "watch"> & {
  readonly database: Database;
  readonly readingLog: ReadingLog;
};

export interface OtherRegions {
  /** Of those that were reached. */
  readonly states: readonly RegionState[];
  /** Whether each is ready, by its name. */
  ready(): Promise<Readonly<Record<string, boolean>>>;
}

/**
 * Starts the regions beside the home region, each with a database, ledgers and jobs of its own. One whose database cannot be reached is
 * tried again until it can, and keeps no other from working. Throws what would keep it from ever working.
 */
export async function startOtherRegions(start: Start, deps: RegionsDeps): Promise<OtherRegions> {
  const states = new Map<string, RegionState>();
  for (const region of start.config.otherRegions) await keepTrying(start, region, deps, states);
  return {
    get states() {
      return [...states.values()];
    },
    async ready() {
      const { otherRegions } = start.config;
      return Object.fromEntries(
        await Promise.all(
          otherRegions.map(async ({ name }) => {
            const state = states.get(name);
            return [name, state !== undefined && (await isReady(state).catch(() => false))] as const;
          }),
        ),
      );
    },
  };
}

async function keepTrying(
  start: Start,
  region: RegionConfig,
  deps: RegionsDeps,
  states: Map<string, RegionState>,
): Promise<void> {
  const { log, closing } = start;
  let own: Closing = createClosing(log);
  let again: NodeJS.Timeout | undefined;
  let trying: Promise<unknown> = Promise.resolve();
  let isOver = false;

  async function attempt(): Promise<boolean> {
    own = createClosing(log);
    try {
      states.set(region.name, await startRegion({ ...start, closing: own }, region, deps));
      return true;
    } catch (error) {
      await own.closeAll();
      if (classify(error) !== "unavailable") throw error;
      log.error({ err: error, region: region.name }, "the database of a region cannot be reached; it is tried again");
      return false;
    }
  }

  function tryLater(): void {
    if (isOver) return;
    again = setTimeout(() => {
      trying = attempt().then(
        (reached) => {
          if (reached) log.info({ region: region.name }, "a region is served");
          else tryLater();
        },
        (error) => log.fatal({ err: error, region: region.name }, "a region cannot be served: start the server again"),
      );
    }, TRY_AGAIN);
    again.unref();
  }

  closing.add(async () => {
    isOver = true;
    clearTimeout(again);
    await trying;
    await own.closeAll();
  });
  if (!(await attempt())) tryLater();
}

/**
 * Throws ConfigurationError for a database that has ledgers of another region: its address belongs to that one, and what is kept apart
 * would be mixed.
 */
export async function assertOnlyLedgersOf(region: string, db: Queryable): Promise<void> {
  const { rows } = await db.query<{ ledger: string }>(
    "SELECT ledger FROM oc_ledger_head WHERE split_part(ledger, '/', 2) <> $1 ORDER BY ledger LIMIT 1",
    [region],
  );
  const [other] = rows;
  if (other === undefined) return;
  const message = `the database of region ${region} has ledger ${other.ledger}: correct its address in REGIONS, or REGION and DATABASE_URL`;
  throw new ConfigurationError(message);
}

async function startRegion(start: Start, region: RegionConfig, deps: RegionsDeps): Promise<RegionState> {
  const { name, ...ofRegion } = region;
  const { home, homeDatabase, keys, policies, findReads, metrics, parts } = deps;
  const { homeCopyMaxAge } = start.config;
  const isHomeElsewhere = start.config.homeAddress !== undefined;
  const config = { ...start.config, ...ofRegion, region: name, homeAddress: undefined };
  const own: Start = { ...start, config };
  const { log, closing } = own;

  const database = await startDatabase(own);
  await assertOnlyLedgersOf(name, database.pool);
  const { ledgers, verify, watch, isSigned } = await startLedger(own, database, keys, metrics);
  const sessions = startSessions(own, database, ledgers);
  const readingLog = createReadingLog({ ledgers, region: name, log, attribute: sessions.attribute });
  closing.add(() => readingLog.stop());
  const follower = await startFollowing(own, database, watch);
  const directory: Directory = { ...home.directory, ...home.directory.abroad };
  const homeCommit = createCommit({ ledgers: home.ledgers, attribute: "none" });
  const copies = createPolicyCopies({
    commit: createCommit({ ledgers, attribute: "none" }),
    db: database.pool,
    region: name,
    policies: policies.policies,
    home: {
      region: home.region,
      begin: createBeginning({ commit: homeCommit, policies: policies.policies, region: home.region }),
    },
  });
  if (homeCopyMaxAge > 0) {
    const copier = createHomeCopier({
      home: { region: home.region, ...deps.source },
      region: name,
      db: database.jobPool,
      commit: createCommit({ ledgers, attribute: "none" }),
      log,
      interval: COPY_EVERY,
      renewAfter: Math.min((homeCopyMaxAge * 1_000) / 4, RENEW_COPY_EVERY),
    });
    copier.start();
    closing.add(() => copier.stop());
    deps.places.set(name, {
      region: name,
      db: database.pool,
      ledgers,
      copy: isHomeElsewhere ? copier.copyOne : undefined,
    });
    closing.add(async () => void deps.places.delete(name));
  }
  const abroad = { home: home.region, copies };
  const actions = startActions(own, { database, ledgers, isSigned, directory, keys, policies, findReads, abroad });
  startOpenLineage(own, { database, ledgers, follower, targets: deps.targets });
  startJobs(own, database, actions, sessions);
  const told = startChannels(own, {
    database,
    ledgers,
    isSigned,
    directory,
    sessions,
    actions,
    policies: policies.policies,
    follower,
    keys,
    home: { region: home.region, database: homeDatabase, damaged: home.ledgers.damaged },
  });
  closing.add(home.channels.join(told.place));
  // Channels are configured at home, and what arrives by one arrives there.
  const { notices, places, unsent, queues, retry, opened } = told;
  const channels = { ...home.channels, notices, places, unsent, queues, retry, opened };
  const { administers } = directory;
  parts.set(name, {
    ...home,
    region: name,
    directory,
    actions,
    channels,
    sessions,
    readingLog,
    ledgers,
    pool: database.pool,
    ...createReads(own, database, ledgers),
    follower,
    verify,
    watch,
    acknowledgements: createAcknowledgements({ ledgers, watch, administers, attribute: sessions.attribute }),
  });
  closing.add(() => parts.delete(name));
  return { database, ledgers, watch, readingLog };
}
