// A process that keeps a database running: node embedded-server.ts <dataDir>. Reports over IPC; ends without stopping
// the database when told to.
import { startEmbeddedPostgres } from "../../src/db/embedded.ts";
import { silent } from "./log.ts";

const [, , dataDir = ""] = process.argv;
try {
  const { url, pid } = await startEmbeddedPostgres({ dataDir, log: silent, settings: { fsync: "off" } });
  process.send?.({ url, pid });
  process.on("message", () => process.exit(0));
} catch (error) {
  process.send?.({ refused: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
  process.disconnect?.();
}
