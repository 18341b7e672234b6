import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/facts/canonical.ts";
import type { LedgerEntry, LedgerId } from "../../src/facts/entry.ts";
import { listOf, objectOf, textOf } from "../../src/facts/members.ts";
import type { EntryRange } from "../../src/ledger/read.ts";
import type { ReadScope } from "../../src/ledger/read-scope.ts";
import { type EntryFilter, searchEntries } from "../../src/ledger/search.ts";
import { actionState, newId, openScene, type Scene } from "./scene.ts";

const LEDGER: LedgerId = "acme/eu";
let scene: Scene;
let all: readonly LedgerEntry[];
const chains = [newId(), newId()] as const;
const actions: string[] = [];

const by = (id: string, person?: string) => ({
  actor: { id, kind: "AGENT" },
  ...(person === undefined ? {} : { onBehalfOf: { id: person, kind: "HUMAN" } }),
});

/** What policy requires of some of the proposals: of nobody, of one group, of two, of a role. */
function asking(at: number, round: number) {
  const groups = [[], ["finance"], ["legal", "finance"]][(at + round) % 3] ?? [];
  const asked: JsonObject[] = groups.map((group) => ({ group, id: group, needed: 1 }));
  if (asked.length === 0) asked.push({ group: "admin", role: true, id: "floor", needed: 1 });
  return { policy: { requirements: asked } };
}

beforeAll(async () => {
  scene = await openScene();
  const append = (body: Parameters<Scene["ledgers"]["append"]>[1]) => scene.ledgers.append(LEDGER, body);
  const doers = [by("bot", "mia"), by("bot", "noah"), by("bot"), by("mia"), by("noah"), by("ann"), by("bot", "ann")];
  for (let round = 0; round < 3; round++) {
    for (const [at, doer] of doers.entries()) {
      const id = newId();
      actions.push(id);
      const step = { tool: `tool-${at % 2}`, chain: chains[round % 2] };
      await append({
        ...doer,
        tool: step.tool,
        type: "ACTION_PROPOSED",
        ...asking(at, round),
        ...actionState(id, 1, "PENDING"),
      });
      if (at % 3 === 0) await append({ ...by("ann"), ...step, type: "ATTEMPTED", action: id });
      if (at % 2 === 0) await append({ ...by("ann"), ...step, type: "APPROVED", ...actionState(id, 2, "APPROVED") });
      await append({ ...doer, type: "SAID" });
    }
  }
  // Another ledger, with the same people in it.
  await scene.ledgers.append("other/eu", { ...by("mia"), type: "PROPOSED", ...actionState(newId(), 1, "PENDING") });
  all = await searchEntries(scene.pool, LEDGER, {}, { limit: 1_000 });
});

afterAll(() => scene?.close());

const idOf = (value: unknown) => (value as JsonObject | undefined)?.id;

function inScope(scopes: readonly ReadScope[], { body }: LedgerEntry): boolean {
  return scopes.some((scope) => {
    if ("askedGroups" in scope) {
      const requirements = listOf(objectOf(body.policy).requirements).map(objectOf);
      return requirements.some(({ group, role }) => role !== true && scope.askedGroups.includes(textOf(group)));
    }
    const { actorIds, people } = scope;
    return (
      (actorIds === undefined || actorIds.includes(String(idOf(body.actor)))) &&
      (people === undefined || people.some((person) => person === (idOf(body.onBehalfOf) ?? null)))
    );
  });
}

/** What a search must find, found by looking at every entry. */
function expected(scopes: readonly ReadScope[], meets: (entry: LedgerEntry) => boolean): bigint[] {
  const made = new Map(all.filter(({ type }) => type === "ACTION_PROPOSED").map((entry) => [entry.body.action, entry]));
  return all
    .filter((entry) => {
      const about = made.get(entry.body.action);
      return meets(entry) && (inScope(scopes, entry) || (about !== undefined && inScope(scopes, about)));
    })
    .map(({ seq }) => seq);
}

/** What it finds, in pages of `size`. */
async function found(
  scopes: readonly ReadScope[],
  filter: EntryFilter,
  size: number,
  range: Omit<EntryRange, "limit"> = {},
) {
  const seqs: bigint[] = [];
  for (let at = range; ; ) {
    const page = await searchEntries(scene.pool, LEDGER, filter, { ...at, limit: size }, scopes);
    seqs.push(...page.map(({ seq }) => seq));
    const last = page.at(-1)?.seq;
    if (page.length < size || last === undefined) return seqs;
    at = range.newestFirst === true ? { ...range, before: last } : { ...range, after: last };
  }
}

const SCOPES: readonly (readonly [string, readonly ReadScope[]])[] = [
  ["an agent for somebody", [{ actorIds: ["bot"], people: ["mia"] }]],
  ["an agent for nobody", [{ actorIds: ["bot"], people: [null] }]],
  ["a person and their agents", [{ actorIds: ["mia"], people: [null] }, { people: ["mia"] }]],
  ["several people", [{ people: ["mia", "noah"] }, { actorIds: ["noah", "ann"] }]],
  ["an agent for a person or for nobody", [{ people: [null, "ann"], actorIds: ["bot"] }]],
  ["an unknown agent and person", [{ actorIds: ["x"], people: ["y"] }]],
  ["no person", [{ people: [] }]],
  ["a group that a requirement names", [{ askedGroups: ["finance"] }]],
  ["a person in such a group", [{ people: ["mia"] }, { askedGroups: ["legal", "x"] }]],
  ["a group that no requirement names", [{ askedGroups: ["nobody"] }]],
  ["a group of the name of a role that is asked", [{ askedGroups: ["admin"] }]],
  ["no scope", []],
];

describe.each(SCOPES)("entries in the scope of %s", (_scope, scopes) => {
  it("are found in full pages, in either order, and from either end", async () => {
    const seqs = expected(scopes, () => true);
    for (const size of [1, 4, 100]) {
      expect(await found(scopes, {}, size)).toEqual(seqs);
      expect(await found(scopes, {}, size, { newestFirst: true })).toEqual(seqs.toReversed());
    }
    const [low, high] = [all[10]?.seq ?? 0n, all[30]?.seq ?? 0n];
    const within = seqs.filter((seq) => seq > low && seq < high);
    expect(await found(scopes, {}, 100, { after: low, before: high })).toEqual(within);
    expect(await found(scopes, {}, 3, { after: low })).toEqual(seqs.filter((seq) => seq > low));
    expect(await found(scopes, {}, 100, { after: low, before: 1_000_000n })).toEqual(seqs.filter((seq) => seq > low));
    const past = { after: low, before: 2n ** 62n, newestFirst: true };
    expect(await found(scopes, {}, 2, past)).toEqual(seqs.filter((seq) => seq > low).toReversed());
  });

  it("are found by a filter as well", async () => {
    const [chain] = chains;
    const [action] = actions;
    const tries: readonly [EntryFilter, (entry: LedgerEntry) => boolean][] = [
      [{ tool: "tool-1" }, ({ body }) => body.tool === "tool-1"],
      [{ types: ["APPROVED", "ATTEMPTED"] }, ({ type }) => type === "APPROVED" || type === "ATTEMPTED"],
      [{ actorId: "ann" }, ({ body }) => idOf(body.actor) === "ann"],
      [{ text: "said" }, ({ type }) => type === "SAID"],
      [{ chainHash: chain }, ({ body }) => body.chain === chain],
      [{ actionId: action }, ({ body }) => body.action === action],
    ];
    for (const [filter, meets] of tries) {
      expect(await found(scopes, filter, 2), JSON.stringify(filter)).toEqual(expected(scopes, meets));
    }
    expect(await found(scopes, { actionId: "no UUID" }, 2)).toEqual([]);
  });
});
