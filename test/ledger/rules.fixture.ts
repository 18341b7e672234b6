import { Client, type Pool } from "pg";
import { expect } from "vitest";
import { createPool } from "../../src/db/pool.ts";
import { type Sealed, seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { signed, verifyLedger } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { createTestDatabase } from "../support/postgres.ts";
import { newId } from "./scene.ts";
import { actionBodies, createLedger } from "./verify.fixture.ts";

interface Brief {
  readonly verdict: string;
  readonly problems: readonly string[];
}

/**
 * Ledgers that somebody with the server's login appends: hashed, linked and projected by the database, and yet not what the
 * format permits.
 */
export interface Rules {
  /** Appends each body by itself behind LEDGER_CREATED, and verifies the whole, and the last entry alone. */
  found(bodies: readonly UnsealedObject[]): Promise<{ readonly whole: Brief; readonly last: Brief }>;
  verified(drafts: readonly Sealed[]): Promise<{ readonly whole: Brief; readonly last: Brief }>;
  close(): Promise<void>;
}

export async function openRules(): Promise<Rules> {
  const database = await createTestDatabase();
  const server = new Client({ connectionString: database.appUrl });
  await server.connect();
  const pool: Pool = createPool({
    connectionString: database.appUrl,
    max: 2,
    applicationName: "verify-rules",
    log: silent,
  });
  let ledgers = 0;
  const verified: Rules["verified"] = async (drafts) => {
    ledgers += 1;
    const ledger: LedgerId = `rules-${ledgers}/eu`;
    await createLedger(server, ledger);
    for (const { body, payload } of drafts) {
      const values = [ledger, signed(ledger, body), payload];
      const { rows } = await server.query("SELECT refusal FROM oc_ledger_append($1, $2, $3)", values);
      expect(rows).toEqual([{ refusal: null }]);
    }
    const brief = async (range: { readonly fromSeq?: bigint } = {}): Promise<Brief> => {
      const { verdict, problems } = await verifyLedger(pool, ledger, range);
      return { verdict, problems: problems.map(({ verdict: kind, seq, detail }) => `${kind} ${seq} ${detail}`) };
    };
    return { whole: await brief(), last: await brief({ fromSeq: BigInt(drafts.length + 1) }) };
  };
  return {
    verified,
    // Ids of notes are kept; those of the fixture belong to one entry each.
    found: (bodies) =>
      verified(bodies.map((body) => seal({ ...body, id: (body.type === "NOTE" ? body.id : undefined) ?? newId() }))),
    async close() {
      await server.end();
      await pool.end();
      await database.drop();
    },
  };
}

export type Life = readonly [UnsealedObject, UnsealedObject, UnsealedObject, UnsealedObject, UnsealedObject];
export type Members = { readonly [name: string]: UnsealedObject[string] };

/** Proposed, approved, its grant issued and redeemed, completed. */
export const life = () => actionBodies(0) as unknown as Life;

export const person = (id: string, ...groups: readonly string[]): UnsealedObject => ({
  id,
  kind: "HUMAN",
  roles: [],
  groups,
});
export const past = "2020-01-01T00:00:00.000000Z";

/** A body with other members; of its state, and of objects in it, only those that are given. */
export function but(body: UnsealedObject, members: Members, state: Members = {}): UnsealedObject {
  const [first, ...others] = body.states as readonly UnsealedObject[];
  const states = [{ ...first, state: { ...(first?.state as UnsealedObject), ...state } }, ...others];
  return { ...body, states, ...members };
}

/** The life up to one entry, with that entry changed. */
export function changed(at: number, members: Members, state: Members = {}): UnsealedObject[] {
  return life()
    .slice(0, at + 1)
    .map((body, index) => (index === at ? but(body, members, state) : body));
}

/** The same with another entry before it changed as well. */
export const also = (bodies: readonly UnsealedObject[], at: number, members: Members, state: Members = {}) =>
  bodies.map((body, index) => (index === at ? but(body, members, state) : body));

export function requiring(...requirements: readonly UnsealedObject[]): Members {
  return { policy: { ...(life()[0].policy as UnsealedObject), requirements } };
}

/** An approval as version `version` of the action. */
export const approval = (version: number, status: string, actor: UnsealedObject): UnsealedObject => {
  const { states, ...body } = life()[1];
  const [{ id } = { id: "" }] = states as readonly UnsealedObject[];
  const more = status === "PENDING" ? { expiresAt: DEADLINE } : { grant: { expiresAt: DEADLINE } };
  const state = { status, approvals: version - 1, ...more };
  return { ...body, actor, states: [{ kind: "ACTION", id, version, state }] };
};
export const DEADLINE = "2099-11-22T23:45:27.499390Z";
export const two = requiring({ id: "two", group: "approvers", needed: 2 });
export const [ann, ben] = [person("ann", "approvers"), person("ben", "approvers", "legal")];

/** A step of the action that the format has, by an entry of `type`. */
export function step(version: number, type: string, members: Members, state: Members): UnsealedObject {
  const { decision: _decision, ...rest } = life()[1];
  return but(
    { ...rest, type, states: [{ ...(rest.states as UnsealedObject[])[0], version, state: { approvals: 0 } }] },
    members,
    state,
  );
}

export function grantOf(at: number): UnsealedObject {
  const states = life()[at]?.states as readonly { readonly state: { readonly grant: UnsealedObject } }[] | undefined;
  return states?.[0]?.state.grant ?? {};
}
