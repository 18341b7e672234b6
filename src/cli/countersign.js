#!/usr/bin/env node
// Plain JavaScript of old, so that a Node too old for the rest gets as far as the sentence below. `npm ci` brings a Node
// that is new enough, and npm and npx use that one.
const oldest = 24;
const [major] = process.versions.node.split(".");
if (Number(major) < oldest) {
  process.stderr.write(
    `countersign: this is Node ${process.versions.node}, and Countersign needs Node ${oldest} or newer. The project brings its own: ` +
      "run `npm ci`, then `npm start` or `npx countersign`.\n",
  );
  process.exitCode = 2;
} else {
  import("./compile-cache.ts").then(() => import("./main.ts"));
}
