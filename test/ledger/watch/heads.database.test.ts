import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LedgerId } from "../../../src/facts/entry.ts";
import { Erasable } from "../../../src/facts/erasable.ts";
import { createHeadStore } from "../../../src/ledger/heads.ts";
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

async function grow(ledger: LedgerId, entries: number): Promise<void> {
  await Promise.all(Array.from({ length: entries }, (_, at) => scene.ledgers.append(ledger, note(`entry ${at}`))));
}

const unexpected = (error: Error) => {
  throw error;
};

it("says when no head of a long ledger is known, and lets it go on", async () => {
  await grow("long/eu", 1_100);
  await grow("short/eu", 10);
  const watch = createTestWatch(scene.pool, join(directory, "none"));
  expect(await watch.health("long/eu")).toMatchObject({
    condition: "SUSPECT",
    problems: [{ verdict: "UNVERIFIABLE", seq: undefined, detail: expect.stringContaining("knows no head") }],
  });
  expect(await watch.refusal("long/eu")).toBeUndefined();
  expect((await watch.health("short/eu")).condition).toBe("OK");
  await watch.stop();
});

it("stops a ledger of which two entries are known at one position, until both are acknowledged", async () => {
  await grow("two/eu", 5);
  const heads = createHeadStore({
    directory: join(directory, "two"),
    standing: async (_ledger, known) => known,
    onError: unexpected,
    onNotCompared: unexpected,
    onContradiction: () => undefined,
  });
  const { rows } = await scene.asSuperuser(
    "SELECT encode(hash, 'hex') AS hash FROM oc_ledger_head WHERE ledger = 'two/eu'",
  );
  for (const hash of [String(rows[0]?.hash), "f".repeat(64)]) {
    heads.record("two/eu", { seq: 6n, hash });
    await heads.flush();
  }
  const watch = createTestWatch(scene.pool, join(directory, "two"));
  await watch.admit("two/eu");
  expect(await watch.refusal("two/eu")).toMatchObject({ code: "LEDGER_STOPPED" });
  expect((await watch.health("two/eu")).problems).toMatchObject([{ verdict: "CHECKPOINT_INCONSISTENT", seq: 6n }]);
  const problems = await watch.toAcknowledge("two/eu");
  expect(problems).toEqual([{ verdict: "CHECKPOINT_INCONSISTENT", seq: "6", through: "6" }]);
  await scene.ledgers.append("two/eu", {
    actor: { id: "admin", kind: "HUMAN", roles: ["admin"], groups: [] },
    type: "LEDGER_ACKNOWLEDGED",
    problems: problems.map((problem) => ({ ...problem })),
    note: new Erasable("restored"),
  });
  await watch.acknowledged("two/eu");
  expect(await watch.refusal("two/eu")).toBeUndefined();
  await watch.stop();
});
