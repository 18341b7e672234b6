import path from "node:path";
import { z } from "zod";

/** The name of a region, in settings and in ledgers. */
export const REGION_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const MAX_REGIONS = 32;

/** Values by the names of regions, as `eu=…,us=…`. They are not repeated in messages: they may hold passwords. */
export function byRegion(example: string, isValue: (text: string) => boolean) {
  const what = `has to be regions with ${example} each, at most ${MAX_REGIONS}, each once, separated by commas (in a value: %2C)`;
  return z
    .string()
    .default("")
    .transform((list, context): ReadonlyMap<string, string> => {
      const items = list.split(",").filter((item) => item.trim() !== "");
      const found = new Map<string, string>();
      for (const [at, item] of items.entries()) {
        const equals = item.indexOf("=");
        const [name, value] = [item.slice(0, Math.max(0, equals)).trim(), item.slice(equals + 1).trim()];
        if (found.has(name) || found.size >= MAX_REGIONS || !REGION_NAME.test(name) || !isValue(value)) {
          context.addIssue(`${what}: number ${at + 1} is not`);
          return z.NEVER;
        }
        found.set(name, value);
      }
      return found;
    });
}

/** The settings of regions, and those of the home region's database. */
interface Values {
  readonly REGION: string;
  readonly REGIONS: ReadonlyMap<string, string>;
  readonly MIGRATION_REGIONS: ReadonlyMap<string, string>;
  readonly REGION_ADDRESSES: ReadonlyMap<string, string>;
  readonly DATABASE_URL?: string | undefined;
  readonly MIGRATION_DATABASE_URL?: string | undefined;
}

/** What is wrong between settings of regions that are good by themselves. */
export function regionProblems({
  REGION,
  REGIONS,
  MIGRATION_REGIONS,
  REGION_ADDRESSES,
  ...value
}: Values): readonly string[] {
  const problems: string[] = [];
  if (REGIONS.has(REGION) && value.DATABASE_URL !== undefined) {
    problems.push(`DATABASE_URL is the database of ${REGION}, which REGIONS names too: set one of them`);
  }
  if (MIGRATION_REGIONS.has(REGION) && value.MIGRATION_DATABASE_URL !== undefined) {
    problems.push(`MIGRATION_DATABASE_URL is about ${REGION}, which MIGRATION_REGIONS names too: set one of them`);
  }
  const addresses = [...REGIONS.values(), ...(value.DATABASE_URL === undefined ? [] : [value.DATABASE_URL])];
  if (new Set(addresses).size < addresses.length) {
    problems.push("REGIONS has to name another database for each region");
  }
  const homeAddress = homeAddressOf({ REGION, REGIONS, REGION_ADDRESSES });
  if (homeAddress !== undefined && !/^https:|^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(?:[:/]|$)/.test(homeAddress)) {
    problems.push(
      `REGION_ADDRESSES has to name an https address for ${REGION}, from which this server copies names and addresses`,
    );
  }
  const served = new Set([...(homeAddress !== undefined ? [] : [REGION]), ...REGIONS.keys()]);
  if (homeAddress !== undefined && (value.DATABASE_URL ?? value.MIGRATION_DATABASE_URL) !== undefined) {
    problems.push(
      `DATABASE_URL is the database of ${REGION}, which REGION_ADDRESSES says is served elsewhere: set one of them`,
    );
  }
  const migrated = [...MIGRATION_REGIONS.keys()].find((name) => !REGIONS.has(name));
  if (migrated !== undefined) problems.push(`MIGRATION_REGIONS names ${migrated}, which REGIONS does not`);
  const elsewhere = [...REGION_ADDRESSES.keys()].find((name) => served.has(name));
  if (elsewhere !== undefined) {
    problems.push(`REGION_ADDRESSES has to name regions that this server does not serve, not ${elsewhere}`);
  }
  return problems;
}

/** The address of a server of the home region, where this server has no database of it; undefined: it has. */
export function homeAddressOf({
  REGION,
  REGIONS,
  REGION_ADDRESSES,
}: Pick<Values, "REGION" | "REGIONS" | "REGION_ADDRESSES">): string | undefined {
  return REGIONS.size > 0 && !REGIONS.has(REGION) ? REGION_ADDRESSES.get(REGION) : undefined;
}

/** A region beside the home region, with its database. */
export interface RegionConfig {
  readonly name: string;
  readonly databaseUrl: string;
  readonly migrationDatabaseUrl: string | undefined;
  /** Folder of what is kept of its ledgers outside the database. */
  readonly dataDir: string;
}

/** The regions that are served beside the home region. `dataDir`: of the server. */
export function otherRegionsOf(
  { REGION, REGIONS, MIGRATION_REGIONS }: Omit<Values, "REGION_ADDRESSES">,
  dataDir: string,
): readonly RegionConfig[] {
  return [...REGIONS].flatMap(([name, databaseUrl]) => {
    const folder = path.join(dataDir, "regions", name);
    const region = { name, databaseUrl, migrationDatabaseUrl: MIGRATION_REGIONS.get(name), dataDir: folder };
    return name === REGION ? [] : [region];
  });
}
