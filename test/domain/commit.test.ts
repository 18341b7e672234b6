import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCommit } from "../../src/domain/commit.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { actionState, newId, note, openScene, type Scene, sessionStep } from "../ledger/scene.ts";
import { memberOf, step, versionOf } from "./commit.fixture.ts";

const LEDGER: LedgerId = "commit/eu";
const caller = memberOf("commit");
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

describe("an entry that others keep being faster than", () => {
  it("names its session, however many rounds it took", async () => {
    const session = newId();
    await scene.ledgers.append(LEDGER, sessionStep(session, 1));
    const action = newId();
    const commit = createCommit({ ledgers: scene.ledgers, attribute: async () => session });
    let rivals = 6;
    const entry = await commit({
      ledger: LEDGER,
      by: caller,
      load: () => versionOf(scene.pool, LEDGER, action),
      decide: async (version) => {
        if (rivals > 0) {
          rivals -= 1;
          await scene.ledgers.append(LEDGER, note("a rival", actionState(action, version + 1, "PENDING")));
        }
        return { kind: "record", fact: step(action, version), result: (recorded) => recorded };
      },
    });
    expect(rivals).toBe(0);
    expect(entry.body.session).toBe(session);
  });

  it("is recorded without one when session after session ends under it", async () => {
    const commit = createCommit({
      ledgers: scene.ledgers,
      attribute: async () => {
        const session = newId();
        await scene.ledgers.append(LEDGER, sessionStep(session, 1));
        await scene.ledgers.append(LEDGER, sessionStep(session, 2));
        return session;
      },
    });
    const entry = await commit({
      ledger: LEDGER,
      by: caller,
      load: async () => newId(),
      decide: (action) => ({ kind: "record", fact: step(action, 0), result: (recorded) => recorded }),
    });
    expect(entry.body.session).toBeUndefined();
  });
});
