/** `npm run lint [-- --write]`: Biome over the checkout, with the rules of test/lint.json (not named as Biome would look for
 * it: below the root it would be a nested project) and the binary of this platform. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../..");
const binary = path.join(root, "node_modules/@biomejs", `cli-${process.platform}-${process.arch}`, "biome");
if (!existsSync(binary)) {
  console.error(`no Biome for ${process.platform}-${process.arch} is installed; npm install @biomejs/biome finds one`);
  process.exit(2);
}
const options = ["check", "--config-path=test/lint.json", ...process.argv.slice(2)];
const result = spawnSync(binary, options, { cwd: root, stdio: "inherit" });
process.exit(result.status ?? 1);
