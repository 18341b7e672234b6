import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createTestWatch } from "../../support/watch.ts";
import { note, openScene, type Scene } from "../scene.ts";

let scene: Scene;
let directory: string;
beforeAll(async () => {
  scene = await openScene();
  directory = await mkdtemp(join(tmpdir(), "countersign-watch-"));
});
afterAll(async () => {
  await scene.close();
  await rm(directory, { recursive: true });
});

it("takes in notifications about ledgers it knows, and nothing else that somebody sends", async () => {
  await scene.ledgers.append("acme/eu", note("one"));
  const watch = createTestWatch(scene.pool, directory);
  for (let n = 0; n < 1_000; n++) watch.onNotify(`unknown-${n}/eu 1`);
  for (const payload of ["", "acme/eu", "../../etc 1", "x".repeat(8_000), "acme/\0 1"]) watch.onNotify(payload);
  // Known to the database, and not yet to this process: that is for the poll.
  watch.onNotify("acme/eu 2");
  expect(watch.status()).toMatchObject({ waiting: 0, ledgers: { OK: 0, SUSPECT: 0, STOPPED: 0 } });
  await watch.health("acme/eu");
  for (let n = 0; n < 1_000; n++) watch.onNotify("acme/eu 2");
  expect(watch.status()).toMatchObject({ waiting: 1, ledgers: { OK: 1 } });
  expect(await readdir(directory)).toEqual([]);
  await watch.stop();
});
