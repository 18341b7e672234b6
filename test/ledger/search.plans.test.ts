import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { type EntryFilter, searchEntries, searchStatement } from "../../src/ledger/search.ts";
import { actionState, newId, openScene, type Scene, sessionStep, statesOf } from "./scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await openScene();
});

afterAll(() => scene.close());

const append = (body: UnsealedObject, ledger: LedgerId) => scene.ledgers.append(ledger, body);

async function find(filter: EntryFilter, ledger: LedgerId): Promise<string[]> {
  const found = await searchEntries(scene.pool, ledger, filter, { limit: 100 });
  return found.map((entry) => `${entry.type} ${entry.seq}`);
}

function by(id: string, profile?: UnsealedObject): UnsealedObject {
  const actor = { id, kind: "HUMAN", roles: [], groups: [] };
  return { type: "BY", actor: profile === undefined ? actor : { ...actor, profile: new Erasable(profile as never) } };
}

describe("searchEntries on a ledger of some size", () => {
  const ledger = "size/eu";
  let partition: string;
  const [session, chain, source, action] = [newId(), newId(), newId(), newId()];

  beforeAll(async () => {
    await Promise.all(
      Array.from({ length: 4_000 }, (_, n) =>
        append(
          {
            ...sessionStep(newId(), 1),
            ...by(`crowd-${n % 50}`, { email: `${n}@example.com` }),
            tool: `tool-${n % 50}`,
            chain: newId(),
            sourceChain: newId(),
          },
          n % 2 === 0 ? ledger : "size/us",
        ),
      ),
    );
    const rare = { ...by("rare"), tool: "rare", chain, sourceChain: source, session };
    await append(
      {
        ...rare,
        action,
        states: [...statesOf(sessionStep(session, 1)), ...statesOf(actionState(action, 1, "PENDING"))],
      },
      ledger,
    );
    const attempt = { ...rare, action };
    partition = `oc_audit_log_${(await append(attempt, ledger)).recordedAt.slice(0, 7).replace("-", "_")}`;
    await scene.asSuperuser("ANALYZE");
  });

  const served: readonly (readonly [string, EntryFilter, RegExp])[] = [
    ["actorId", { actorId: "rare" }, /actor_id_ledger_seq_idx/],
    ["tool", { tool: "rare" }, /tool_ledger_seq_idx/],
    ["sessionId", { sessionId: session }, /session_id_ledger_seq_idx/],
    ["chainHash", { chainHash: chain }, /_chain_ledger_seq_idx/],
    ["sourceChainHash", { sourceChainHash: source }, /source_chain_ledger_seq_idx/],
    ["actionId", { actionId: action }, /action_id_ledger_seq_idx.*oc_audit_log_\d{4}_\d\d_seq/s],
    ["recordedTo", { recordedTo: "2001-01-01T00:00:00Z" }, /oc_audit_log_default/],
    ["no filter", {}, /oc_audit_log_\d{4}_\d\d_seq/],
  ];

  it.each(served)("is served by an index: %s", async (_name, filter, index) => {
    const statement = searchStatement(ledger, filter, { limit: 50, newestFirst: true });
    const values = [...(statement?.values ?? [])];
    const explained = await scene.pool.query<{ "QUERY PLAN": string }>(`EXPLAIN ${statement?.text}`, values);
    const plan = explained.rows.map((row) => row["QUERY PLAN"]).join("\n");
    expect(plan).toMatch(index);
    expect(plan).not.toContain(`Seq Scan on ${partition}`);
    expect(plan).not.toContain(`Seq Scan on ${partition.replace("log", "payload")}`);
  });

  it("finds the rare entries among the many, by each filter", async () => {
    for (const [name, filter] of served.slice(0, 6)) {
      expect([name, await find(filter, ledger)]).toEqual([name, ["BY 2002", "BY 2003"]]);
    }
  });
});
