// A process that migrates: node migrator.ts <connection string>. Reports over IPC what it applied.
import { migrate } from "../../src/db/migrate.ts";
import { silent } from "./log.ts";

const [, , connectionString = ""] = process.argv;
const { applied } = await migrate({ connectionString, log: silent });
process.send?.({ applied });
process.disconnect?.();
