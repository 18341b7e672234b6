import { LRUCache } from "lru-cache";
import { LedgerUnavailableError } from "../../ledger/errors.ts";
import type { Policies } from "../policy/policies.ts";
import { nowhere, RegionRefusal } from "./errors.ts";

/** The regions of an installation, as one server sees them. `Parts`: what it has to work in one of them. */
export interface Regions<Parts> {
  /** Holds what concerns whole organizations. */
  readonly home: string;
  /** Names of those that this server serves, the home region first. */
  readonly names: readonly string[];
  /** Whether it is one of the installation, as far as this server was told: served here, or elsewhere. */
  knows(region: string): boolean;
  /** Throws RegionRefusal for a region that is served elsewhere, LedgerUnavailableError for one that has not been reached yet. */
  of(region: string): Parts;
  /**
   * Where actions on `platform` are recorded: where the policy in force says that it keeps its data; the home region for a platform that
   * is unknown. Throws LedgerUnavailableError.
   */
  regionOf(organization: string, platform: string): Promise<string>;
  /** Where this server recorded an action lately, or may have; undefined: it does not know of any. */
  proposedIn(actionId: string): string | undefined;
  noteProposed(actionId: string, region: string): void;
}

export interface RegionsOptions<Parts> {
  readonly home: string;
  readonly names: readonly string[];
  /** What there is of each region that was reached. */
  readonly parts: ReadonlyMap<string, Parts>;
  /** Addresses of servers of other regions. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly policies: Pick<Policies, "open" | "of">;
}

/** Actions of which a server knows where they were proposed. */
const MAX_PROPOSED = 50_000;

export function createRegions<Parts>(options: RegionsOptions<Parts>): Regions<Parts> {
  const { home, names, parts, addresses, policies } = options;
  const proposed = new LRUCache<string, string>({ max: MAX_PROPOSED });
  return {
    proposedIn: (actionId) => proposed.get(actionId),
    noteProposed: (actionId, region) => void proposed.set(actionId, region),
    home,
    names,
    knows: (region) => names.includes(region) || addresses.has(region),
    of(region) {
      const found = parts.get(region);
      if (found !== undefined) return found;
      if (names.includes(region)) throw unreached(region);
      const address = addresses.get(region);
      if (address === undefined) throw nowhere(region);
      const shown = JSON.stringify(region);
      throw new RegionRefusal("REGION_ELSEWHERE", `this server does not serve region ${shown}: call ${address}`);
    },
    async regionOf(organization, platform) {
      await policies.open(organization);
      const { platforms } = policies.of(organization).document.catalog;
      return Object.hasOwn(platforms, platform) ? (platforms[platform]?.region ?? home) : home;
    },
  };
}

/** Nothing was recorded in `region`, whose database was not reached since the server began. */
function unreached(region: string): LedgerUnavailableError {
  return new LedgerUnavailableError(
    `the database of region ${region} cannot be reached; nothing was recorded there`,
    5,
  );
}
