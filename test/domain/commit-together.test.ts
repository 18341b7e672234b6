import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Attribute, Recording } from "../../src/domain/commit.ts";
import { createCommitTogether } from "../../src/domain/commit-together.ts";
import type { LedgerEntry, LedgerId } from "../../src/facts/entry.ts";
import { LedgerUnavailableError } from "../../src/ledger/errors.ts";
import type { Ledgers } from "../../src/ledger/ledger.ts";
import { actionState, newId, note, openScene, type Scene, sessionStep } from "../ledger/scene.ts";
import { memberOf, step, versionOf } from "./commit.fixture.ts";

const LEDGER: LedgerId = "together/eu";
const caller = memberOf("together");
let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.close());

const unavailable = () => Promise.reject(new LedgerUnavailableError("away", 1));

interface Attempt {
  readonly ledgers?: Pick<Ledgers, "appendTogether" | "damaged">;
  readonly attribute?: Attribute;
  /** Called before each decision. */
  readonly meanwhile?: (action: string, version: number) => Promise<void>;
}

/** Gives each of `actions` its next state. Returns the outcomes, and the reasons for which recordings were lost. */
async function commit(actions: readonly string[], { ledgers = scene.ledgers, attribute, meanwhile }: Attempt = {}) {
  const lost: unknown[] = [];
  const together = createCommitTogether({ ledgers, attribute: attribute ?? (async () => undefined) });
  const outcomes = await together<string, number, LedgerEntry>({
    ledger: LEDGER,
    by: caller,
    items: actions,
    load: (items) => Promise.all(items.map((action) => versionOf(scene.pool, LEDGER, action))),
    decide: async (action, version): Promise<Recording<LedgerEntry>> => {
      await meanwhile?.(action, version);
      return {
        kind: "record",
        fact: step(action, version),
        result: (entry) => entry,
        lost: async (error) => {
          lost.push(error);
          return undefined;
        },
      };
    },
    conversation: (action) => action,
  });
  return { outcomes, lost };
}

const recorded = (outcomes: readonly PromiseSettledResult<LedgerEntry>[]) =>
  outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));

describe("decisions recorded together", () => {
  it("are made again for those that others were faster than", async () => {
    const [quiet, contested] = [newId(), newId()];
    let rivals = 5;
    const { outcomes, lost } = await commit([contested, quiet], {
      meanwhile: async (action, version) => {
        if (action !== contested || rivals === 0) return;
        rivals -= 1;
        await scene.ledgers.append(LEDGER, note("a rival", actionState(action, version + 1, "PENDING")));
      },
    });
    expect(recorded(outcomes)).toHaveLength(2);
    expect(lost).toHaveLength(5);
    expect([await versionOf(scene.pool, LEDGER, contested), await versionOf(scene.pool, LEDGER, quiet)]).toEqual([
      6, 1,
    ]);
  });

  it("are given up after many rounds, each by itself", async () => {
    const [quiet, contested] = [newId(), newId()];
    const { outcomes } = await commit([contested, quiet], {
      meanwhile: async (action, version) => {
        if (action === quiet) return;
        await scene.ledgers.append(LEDGER, note("a rival", actionState(action, version + 1, "PENDING")));
      },
    });
    expect(outcomes).toMatchObject([{ reason: { code: "LEDGER_UNAVAILABLE" } }, { status: "fulfilled" }]);
  });

  it("are recorded without a session when session after session ends under them", async () => {
    const [one, two] = [newId(), newId()];
    const { outcomes } = await commit([one, two], {
      attribute: async (_, conversation) => {
        if (conversation === two) return undefined;
        const session = newId();
        await scene.ledgers.append(LEDGER, sessionStep(session, 1));
        await scene.ledgers.append(LEDGER, sessionStep(session, 2));
        return session;
      },
    });
    expect(recorded(outcomes).map(({ body }) => body.session)).toEqual([undefined, undefined]);
  });

  it("name the sessions of their items", async () => {
    const [session, action, other] = [newId(), newId(), newId()];
    await scene.ledgers.append(LEDGER, sessionStep(session, 1));
    const { outcomes } = await commit([other, action], {
      attribute: async (_, conversation) => (conversation === action ? session : undefined),
    });
    expect(recorded(outcomes).map(({ body }) => body.session)).toEqual([undefined, session]);
  });

  it("are made again, and recorded in one transaction, when one of them is refused", async () => {
    const [refused, ...others] = [newId(), newId(), newId()];
    const reason = new Error("no");
    const { outcomes, lost } = await commit([others[0]!, refused, others[1]!], {
      meanwhile: async (action) => {
        if (action === refused) throw reason;
      },
    });
    expect(outcomes[1]).toEqual({ status: "rejected", reason });
    expect(lost).toEqual([reason, reason]);
    const [first, second] = recorded(outcomes);
    expect(second?.seq).toBe(first!.seq + 1n);
  });

  it.each([
    ["appended", () => ({ ledgers: { ...scene.ledgers, appendTogether: unavailable } }), 2],
    ["attributed", () => ({ attribute: unavailable }), 0],
  ] as const)("are all rejected when they cannot be %s", async (_, attempt, told) => {
    const { outcomes, lost } = await commit([newId(), newId()], attempt());
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: "LEDGER_UNAVAILABLE" } });
    expect(lost).toHaveLength(told);
  });

  it("are none without items", async () => {
    expect((await commit([])).outcomes).toEqual([]);
  });
});
