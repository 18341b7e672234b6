import { createHash, randomUUID } from "node:crypto";
import type { LedgerId } from "../../facts/entry.ts";
import type { Queryable } from "../../ledger/read.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import type { Target } from "./targets.ts";

/** Up to where the events of a ledger were sent to a target, and which server sends them. All throw LedgerUnavailableError. */
export interface Positions {
  /** The position, where no other server sends the ledger's events to the target; undefined: one does. Also keeps what this one has. */
  take(ledger: LedgerId, target: Target): Promise<bigint | undefined>;
  /** Notes that what `seq` and those before it add was sent. Returns whether this server still sends. */
  advance(ledger: LedgerId, target: Target, seq: bigint): Promise<boolean>;
  /** Leaves all to other servers. */
  release(): Promise<void>;
}

const TAKE = `
  INSERT INTO oc_work.run_events AS w (ledger, target, position, holder, held_until)
  VALUES ($1, $2, 0, $3, clock_timestamp() + $4 * interval '1 second')
  ON CONFLICT (ledger, target) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
   WHERE w.held_until IS NULL OR w.held_until <= clock_timestamp() OR w.holder = excluded.holder
  RETURNING w.position`;
const ADVANCE = `
  UPDATE oc_work.run_events SET position = greatest(position, $4::bigint)
   WHERE ledger = $1 AND target = $2 AND holder = $3 AND held_until > clock_timestamp()`;
const RELEASE = "UPDATE oc_work.run_events SET held_until = NULL WHERE holder = $1";

/** @param seconds after which another server takes over from one that does not respond */
export function createPositions({ db, seconds }: { readonly db: Queryable; readonly seconds: number }): Positions {
  const holder = randomUUID();
  // An address may have a secret in it.
  const nameOf = ({ url }: Target) => createHash("sha256").update(url).digest();
  return {
    async take(ledger, target) {
      const values = [ledger, nameOf(target), holder, seconds];
      const { rows } = await withLedgerErrors(db.query<{ position: string }>(TAKE, values));
      return rows[0] && BigInt(rows[0].position);
    },
    async advance(ledger, target, seq) {
      const { rowCount } = await withLedgerErrors(db.query(ADVANCE, [ledger, nameOf(target), holder, seq]));
      return rowCount === 1;
    },
    async release() {
      await withLedgerErrors(db.query(RELEASE, [holder]));
    },
  };
}
