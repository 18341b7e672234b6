import { PrismaPg } from "@prisma/adapter-pg";
import type { Pool } from "pg";
import { PrismaClient } from "./generated/prisma/client.ts";

/**
 * The typed read model over a pool of ours, and therefore confined to its role: it reads, and a write is refused by the
 * database. Ends with the pool, which stays the caller's to end.
 */
export function createPrisma(pool: Pool): PrismaClient {
  return new PrismaClient({ adapter: new PrismaPg(pool) });
}
