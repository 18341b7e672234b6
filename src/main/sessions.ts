import type { Database } from "../db/database.ts";
import { createSessions, type Sessions } from "../domain/sessions/sessions.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import type { Start } from "./start.ts";

export function startSessions({ config }: Start, { pool }: Database, ledgers: Ledgers): Sessions {
  const { region, sessionTtl } = config;
  return createSessions({ ledgers, db: pool, region, sessionTtl });
}
