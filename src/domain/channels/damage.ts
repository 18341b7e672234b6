import { LedgerDamagedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";

/** Notes that what is stored is not what was recorded, as calls of the API do, wherever in this area it is met. */
export interface Damage {
  /** Returns `error`. */
  note(error: unknown): unknown;
  /** What `work` comes to; an error of it is noted. */
  noting<Result>(work: Promise<Result>): Promise<Result>;
}

/** The ledgers of one region. */
type Region = { readonly region: string } & Pick<Ledgers, "damaged">;

/** @param regions those that errors here can be about; what is about another one is noted there */
export function createDamage(regions: readonly Region[]): Damage {
  function note(error: unknown): unknown {
    if (!(error instanceof LedgerDamagedError)) return error;
    const of = error.ledger.slice(error.ledger.indexOf("/") + 1);
    return regions.find(({ region }) => region === of)?.damaged(error) ?? error;
  }
  return {
    note,
    async noting(work) {
      try {
        return await work;
      } catch (error) {
        throw note(error);
      }
    },
  };
}
