/**
 * What entries say that rows projected from them have to say as well, as numbers that combine over parts of a ledger in any
 * order. Entries and rows are each read once, and only these numbers are compared: memory does not grow with either.
 */
export interface Fingerprints {
  /** Which action's version stands where; combines by XOR. */
  readonly versions: bigint;
  /** How many routing chains start. */
  readonly chains: bigint;
  /** Which session starts and ends where; combines by XOR. */
  readonly sessions: bigint;
  /** The last version of each thing of the directory; combines by XOR, and means something over a whole ledger only. */
  readonly directory: bigint;
}

export const NO_FINGERPRINTS: Fingerprints = {
  versions: 0n,
  chains: 0n,
  sessions: 0n,
  directory: 0n,
};

/** As `range.sql` answers them; a missing one is of nothing. */
export type FingerprintRow = Readonly<Partial<Record<keyof Fingerprints, string>>>;

export function toFingerprints(row: FingerprintRow | undefined): Fingerprints {
  return {
    versions: BigInt(row?.versions ?? 0),
    chains: BigInt(row?.chains ?? 0),
    sessions: BigInt(row?.sessions ?? 0),
    directory: BigInt(row?.directory ?? 0),
  };
}

/** Those of two parts together. */
export function combine(a: Fingerprints, b: Fingerprints): Fingerprints {
  return {
    versions: a.versions ^ b.versions,
    chains: a.chains + b.chains,
    sessions: a.sessions ^ b.sessions,
    directory: a.directory ^ b.directory,
  };
}
