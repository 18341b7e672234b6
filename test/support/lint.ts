/** `npm run lint [-- --write]`: Biome over the checkout, with the binary of this platform. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../..");
const binary = path.join(root, "node_modules/@biomejs", `cli-${process.platform}-${process.arch}`, "biome");
if (!existsSync(binary)) {
  console.error(`no Biome for ${process.platform}-${process.arch} is installed; npm install @biomejs/biome finds one`);
  process.exit(2);
}
const result = spawnSync(binary, ["check", ...process.argv.slice(2)], { cwd: root, stdio: "inherit" });
process.exit(result.status ?? 1);
