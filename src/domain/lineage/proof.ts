import { isDeepStrictEqual } from "node:util";
import { LRUCache } from "lru-cache";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import { provenEntry, provenState, STORED_STATE, type StoredState } from "../../ledger/proof.ts";
import { type EntryRow, POSITION_COLUMNS, type Queryable } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { chainIdOf } from "./chain-id.ts";
import type { RouteKey } from "./routes.ts";

/** What never changes of a chain. */
export interface ChainFacts {
  readonly number: number;
  readonly platform: string;
}

/** Chains that are remembered as proven. */
const MAX_PROVEN = 50_000;

const READ = {
  name: "oc_prove_chain",
  text: `
    SELECT ${STORED_STATE}, ${POSITION_COLUMNS}
      FROM oc_state s LEFT JOIN LATERAL oc_entries_at(s.ledger, ARRAY[s.updated_seq]) e ON true
     WHERE s.ledger = $1 AND s.kind = 'CHAIN' AND s.id = $2 LIMIT 1`,
};

/** The entry is null where there is none at the position that the row names. */
type Row = Omit<EntryRow, "entry"> & { readonly entry: string | null };

export interface ChainProofs {
  /**
   * Compares what a row says of a chain of `key` with the entry that made it, and its id with its place. Throws LedgerDamagedError
   * when they differ, LedgerUnavailableError.
   */
  prove(key: RouteKey, chain: ChainFacts & { readonly chain: string }): Promise<void>;
  /** Notes a chain that this process recorded. */
  recorded(chain: ChainFacts & { readonly chain: string }): void;
}

export function createChainProofs(db: Queryable, { damaged }: Pick<Ledgers, "damaged">): ChainProofs {
  const proven = new LRUCache<string, ChainFacts>({ max: MAX_PROVEN });

  async function read({ ledger }: RouteKey, chain: string): Promise<ChainFacts> {
    const { rows } = await withLedgerErrors(db.query<StoredState & Row>({ ...READ, values: [ledger, chain] }));
    const [row] = rows;
    if (row === undefined) throw new LedgerDamagedError(ledger, `the row of CHAIN ${chain} in oc_state has gone`);
    const entry = row.entry === null ? undefined : provenEntry(ledger, { ...row, entry: row.entry });
    const { number, platform } = provenState(ledger, "CHAIN", row, entry).state;
    return { number, platform };
  }

  return {
    async prove(key, { chain, number, platform }) {
      try {
        let facts = proven.get(chain);
        if (facts === undefined) {
          facts = await read(key, chain);
          proven.set(chain, facts);
        }
        if (chain === chainIdOf(key, number) && isDeepStrictEqual(facts, { number, platform })) return;
        throw new LedgerDamagedError(key.ledger, `the row of CHAIN ${chain} in oc_state is not what its entries say`);
      } catch (error) {
        throw error instanceof LedgerDamagedError ? damaged(error) : error;
      }
    },
    recorded: ({ chain, number, platform }) => void proven.set(chain, { number, platform }),
  };
}
