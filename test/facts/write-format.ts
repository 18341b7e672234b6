// Rewrites the generated parts of src/facts/FORMAT.md: `npm run schema:format`.
import { writeFile } from "node:fs/promises";
import { FORMAT_FILE, renderFormat } from "./format.ts";

await writeFile(FORMAT_FILE, await renderFormat());
