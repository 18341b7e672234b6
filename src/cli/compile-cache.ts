import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// Compiling the program takes half of the processor time of a start, during which nobody is served after a crash. The cache is
// where only those can write who can change the program itself; without that right, the program is compiled at each start.
enableCompileCache(fileURLToPath(new URL("../../node_modules/.cache/countersign", import.meta.url)));
