import type { Config } from "../config.ts";
import type { Database } from "../db/database.ts";
import type { Directory } from "../domain/directory/directory.ts";
import type { Keys } from "../domain/identity/keys.ts";
import { createRemoteHome, type HomeExchange } from "../domain/regions/home-exchange.ts";
import { createHomeSource, type HomeSource } from "../domain/regions/home-source.ts";
import type { Ledgers } from "../ledger/ledger.ts";
import type { IsSigned } from "../ledger/signatures/check.ts";
import type { Start } from "./start.ts";

export interface HomeDeps {
  readonly database: Pick<Database, "jobPool">;
  readonly ledgers: Pick<Ledgers, "damaged">;
  readonly directory: Pick<Directory, "signIns">;
  readonly isSigned: IsSigned;
  readonly keys: Pick<Keys, "secret">;
}

/** The region name and the secret with which servers of an installation exchange copies. */
export function homeExchange({ region }: Pick<Config, "region">, keys: Pick<Keys, "secret">): HomeExchange {
  return { region, secret: keys.secret("regions") };
}

/** The source of copies for other regions: the home region's database, or a server that has it. */
export function startHomeSource({ config }: Start, deps: HomeDeps): HomeSource {
  const { database, ledgers, directory, isSigned, keys } = deps;
  const { region, homeAddress: address } = config;
  if (address === undefined) return createHomeSource({ region, db: database.jobPool, ledgers, directory, isSigned });
  return createRemoteHome({ ...homeExchange(config, keys), address, isSigned });
}
