import { LRUCache } from "lru-cache";
import { LedgerDamagedError } from "../../ledger/errors.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import { provenEntry, provenState, provenVersion, STORED_STATE, type StoredState } from "../../ledger/proof.ts";
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
      FROM oc_state s LEFT JOIN LATERAL oc_entries_at(s.ledger, ARRAY[s.first_seq, s.updated_seq]) e ON true
     WHERE s.ledger = $1 AND s.kind = 'CHAIN' AND s.id = $2`,
};

/** The entry is null where there is none at the positions that the row names. */
type Row = StoredState & { readonly [Column in keyof EntryRow]: EntryRow[Column] | null };

export interface ChainProofs {
  /**
   * What the entry that began `chain`, of which a row says that it is number `number` of `key`, says of it. Throws
   * LedgerDamagedError when the row is not what its entries say, LedgerUnavailableError.
   */
  prove(key: RouteKey, chain: string, number: number): Promise<ChainFacts>;
  /** Notes a chain that this process began. */
  recorded(chain: ChainFacts & { readonly chain: string }): void;
}

export function createChainProofs(db: Queryable, { damaged }: Pick<Ledgers, "damaged">): ChainProofs {
  const proven = new LRUCache<string, ChainFacts>({ max: MAX_PROVEN });

  async function read({ ledger }: RouteKey, chain: string): Promise<ChainFacts> {
    const { rows } = await withLedgerErrors(db.query<Row>({ ...READ, values: [ledger, chain] }));
    const entries = new Map(rows.flatMap((row) => (isEntry(row) ? [[row.seq, provenEntry(ledger, row)]] : [])));
    const [row] = rows;
    if (row === undefined) throw new LedgerDamagedError(ledger, `the row of CHAIN ${chain} in oc_state has gone`);
    provenState(ledger, "CHAIN", row, entries.get(row.updated_seq));
    const began = provenVersion(ledger, entries.get(row.first_seq), "CHAIN", { id: chain, version: 1 });
    const { number, platform } = began.state;
    return { number, platform };
  }

  return {
    async prove(key, chain, number) {
      try {
        let facts = proven.get(chain);
        if (facts === undefined) {
          facts = await read(key, chain);
          proven.set(chain, facts);
        }
        if (chain === chainIdOf(key, number) && facts.number === number) return facts;
        throw new LedgerDamagedError(key.ledger, `the row of CHAIN ${chain} in oc_state is not what its entries say`);
      } catch (error) {
        throw error instanceof LedgerDamagedError ? damaged(error) : error;
      }
    },
    recorded: ({ chain, number, platform }) => void proven.set(chain, { number, platform }),
  };
}

function isEntry(row: Row): row is StoredState & EntryRow {
  return row.entry !== null;
}
