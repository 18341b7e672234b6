import { PrismaPg } from "@prisma/adapter-pg";
import { type ClientBase, Pool } from "pg";
import { PrismaClient } from "./generated/prisma/client.ts";

/** A pool for Prisma's adapter, which takes nothing else: every statement goes to `reader`, and none connects. */
class PoolOfReader extends Pool {
  constructor(reader: Pick<ClientBase, "query">) {
    super();
    this.query = reader.query.bind(reader) as Pool["query"];
  }
}

/**
 * The typed read model over `reader`: a pool of ours, a connection or a snapshot; confined to its role, so a write is
 * refused by the database. Made in milliseconds and not for each row: a read costs several times what SQL costs.
 */
export function createPrisma(reader: Pick<ClientBase, "query">): PrismaClient {
  return new PrismaClient({ adapter: new PrismaPg(new PoolOfReader(reader)) });
}
