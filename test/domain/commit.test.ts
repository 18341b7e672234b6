import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCommit } from "../../src/domain/commit.ts";
import type { Caller } from "../../src/domain/identity/principal.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import type { FactDraft } from "../../src/facts/registry.ts";
import { actionState, newId, note, openScene, type Scene, sessionStep } from "../ledger/scene.ts";

const LEDGER: LedgerId = "commit/eu";
const caller: Caller = {
  principal: { id: "member", kind: "HUMAN", organization: "commit", roles: [], groups: [] },
  client: { name: "test", confidence: "UNKNOWN", modelConfidence: "UNKNOWN", evidence: {} },
};
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

/** The next step of `action`, as the database has it. */
async function versionOf(action: string): Promise<number> {
  const { rows } = await scene.pool.query<{ version: number }>(
    "SELECT version FROM oc_state WHERE ledger = $1 AND kind = 'ACTION' AND id = $2",
    [LEDGER, action],
  );
  return rows[0]?.version ?? 0;
}

const step = (action: string, version: number) =>
  ({ type: "ACTION_DENIED", ...actionState(action, version + 1, "PENDING") }) as unknown as FactDraft;

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
      load: () => versionOf(action),
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
