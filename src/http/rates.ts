import { RateLimiterMemory, type RateLimiterRes } from "rate-limiter-flexible";
import type { SignedIn } from "./call.ts";
import { networkOf } from "./peers.ts";
import { ownerOf } from "./slots.ts";

/** A second, on average over ten. */
export interface RateLimits {
  /** Changes of one principal, counted for each person it acts for. */
  readonly changesPerPrincipal: number;
  /** Changes of one person and of all that act for them. */
  readonly changesPerPerson: number;
  /** Requests without a token, or with one that is refused, of one address, or one /64 network of IPv6. */
  readonly anonymousPerAddress: number;
}

export const RATE_LIMITS: RateLimits = {
  changesPerPrincipal: 5_000,
  changesPerPerson: 10_000,
  anonymousPerAddress: 200,
};

/** Seconds over which a rate is averaged. */
const WINDOW = 10;
/** What a refused change counts, beyond the one it was: it took as much work, and whoever means well is not refused again and again. */
const REFUSAL = 49;

/** Counts in this process what each caller does, and says when it is too much. */
export interface Rates {
  /** Counts `changes` that `caller` is about to make. Returns the seconds to wait when there were too many. */
  change(caller: Pick<SignedIn, "principal">, changes: number): Promise<number | undefined>;
  /** Counts that a change of `caller` was refused: against the caller alone, so that an agent cannot keep its person from deciding. */
  refused(caller: Pick<SignedIn, "principal">): void;
  /** Counts a request that nobody signed in made from `address`. Returns the seconds to wait when there were too many. */
  anonymous(address: string | undefined): Promise<number | undefined>;
}

export function createRates(limits: RateLimits): Rates {
  const limiter = (perSecond: number) => new RateLimiterMemory({ points: perSecond * WINDOW, duration: WINDOW });
  const principals = limiter(limits.changesPerPrincipal);
  const people = limiter(limits.changesPerPerson);
  const addresses = limiter(limits.anonymousPerAddress);
  return {
    async change(caller, changes) {
      const wait = await consume(principals, ownerOf(caller), changes);
      if (wait !== undefined) return wait;
      return consume(people, personOf(caller), changes);
    },
    refused(caller) {
      void principals.penalty(ownerOf(caller), REFUSAL);
    },
    anonymous: (address) => consume(addresses, networkOf(address) ?? "unknown", 1),
  };
}

function personOf({ principal }: Pick<SignedIn, "principal">): string {
  const { organization, id, onBehalfOf } = principal;
  return JSON.stringify([organization, onBehalfOf?.id ?? id]);
}

/** Seconds to wait, when there is nothing left for `key`. */
async function consume(limiter: RateLimiterMemory, key: string, points: number): Promise<number | undefined> {
  try {
    await limiter.consume(key, points);
    return undefined;
  } catch (rejection) {
    if (rejection instanceof Error) throw rejection;
    return Math.ceil((rejection as RateLimiterRes).msBeforeNext / 1_000);
  }
}
