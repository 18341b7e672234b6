import fc from "fast-check";
import { v7 as uuidv7 } from "uuid";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { Dependency } from "../../src/facts/dependencies.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import type { Draft } from "../../src/ledger/appending/call.ts";

/** Few things, so that drafts get into each other's way. Ids are as each kind has them. */
const uuid = (n: number) => `00000000-0000-7000-8000-00000000000${n}`;
const things: readonly (readonly [kind: string, id: string])[] = [
  ["ACTION", uuid(1)],
  ["ACTION", uuid(2)],
  ["SESSION", uuid(3)],
  ["SESSION", uuid(4)],
  ["CHAIN", uuid(5)],
  ["CHAIN", uuid(6)],
  ["PRINCIPAL", "agent-7"],
  ["TOKEN", "https://issuer.example 4711"],
];

/** Far enough from now that no run is slow enough to tell a difference. */
const PAST = "2001-02-03T04:05:06.789Z";
const FUTURE = "2101-02-03T04:05:06.789Z";

/** A draft before it is known which version each thing will have by then. Offsets are from the right one. */
interface Plan {
  readonly moves: readonly { readonly thing: number; readonly offset: number; readonly state: UnsealedObject }[];
  readonly dependencies: readonly { readonly thing: number; readonly offset: number }[];
  readonly notAfter: string | undefined;
  readonly more: UnsealedObject;
  readonly flaw: Flaw | undefined;
}

/** Mostly the right version, so that things get somewhere. */
const offset = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -2, max: 2 }) },
);
const thing = fc.nat({ max: things.length - 1 });
const sometimes = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

const state = fc.record({
  status: fc.constantFrom("OPEN", "ENDED", "CLOSED", "PENDING", "APPROVED", undefined),
  approvals: sometimes(fc.nat({ max: 3 })),
  expiresAt: fc.constantFrom(undefined, undefined, FUTURE, PAST),
});

const more = fc.record({
  type: fc.constantFrom("NOTE", "ACTION_PROPOSED", "SESSION_ENDED"),
  actor: fc.constantFrom({ id: "agent-7" }, { id: "member" }, { kind: "SERVICE" }),
  onBehalfOf: sometimes(fc.constant({ id: "member" })),
  conversation: sometimes(fc.constantFrom("c1", "c2")),
  session: sometimes(fc.constantFrom(uuid(3), uuid(4))),
  action: sometimes(fc.constantFrom(uuid(1), uuid(2))),
  chain: sometimes(fc.constantFrom(uuid(5), uuid(6))),
  sourceChain: sometimes(fc.constant(uuid(5))),
  platform: sometimes(fc.constant("crm")),
  tool: sometimes(fc.constant("find_customer")),
  effect: sometimes(fc.constantFrom("READ", "WRITE")),
  text: sometimes(fc.string({ unit: "grapheme", maxLength: 40 }).map((text) => new Erasable(text))),
  said: sometimes(fc.string({ unit: "grapheme", maxLength: 40 })),
});

/** What no caller of ours does, and the database has to survive. */
const flaws = {
  "is no object": () => ({ body: "[]" }),
  "is no JSON": () => ({ body: '{"type":' }),
  "repeats a key": ({ body }) => ({ body: body.replace("{", '{"text":1,"text":2,') }),
  "holds a raw carriage return": ({ body }) => ({ body: body.replace("{", "{\r") }),
  "has no id": ({ body }) => ({ body: withMember(body, "id", undefined) }),
  "has no type": ({ body }) => ({ body: withMember(body, "type", undefined) }),
  "has states that are no list": ({ body }) => ({ body: withMember(body, "states", "ACTION") }),
  "moves something without a kind": ({ body }) => ({
    body: withMember(body, "states", [{ id: "x", version: 1, state: {} }]),
  }),
  "moves something without a state": ({ body }) => ({
    body: withMember(body, "states", [{ kind: "TOKEN", id: uuidv7(), version: 1 }]),
  }),
  "has a version that is text": ({ body }) => ({
    body: withMember(body, "states", [{ kind: "TOKEN", id: "x", version: "1", state: {} }]),
  }),
  "moves a new thing twice": ({ body }) => {
    const move = { kind: "TOKEN", id: uuidv7(), version: 1, state: {} };
    return { body: withMember(body, "states", [move, move]) };
  },
  "has a session that is no uuid": ({ body }) => ({ body: withMember(body, "session", "s1") }),
  "has a payload that is no JSON": () => ({ payload: "{" }),
} satisfies Record<string, (draft: Draft) => Partial<Draft>>;
type Flaw = keyof typeof flaws;
const flawNames = Object.keys(flaws) as readonly Flaw[];

function withMember(body: string, name: string, value: unknown): string {
  return JSON.stringify({ ...(JSON.parse(body) as object), [name]: value });
}

const plan = (flawed: boolean): fc.Arbitrary<Plan> =>
  fc.record({
    moves: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      {
        weight: 7,
        arbitrary: fc.uniqueArray(fc.record({ thing, offset, state }), {
          maxLength: 3,
          selector: (move) => move.thing,
        }),
      },
    ),
    dependencies: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 2, arbitrary: fc.array(fc.record({ thing, offset }), { maxLength: 2 }) },
    ),
    notAfter: fc.constantFrom(undefined, undefined, undefined, undefined, FUTURE, PAST),
    more,
    flaw: fc.oneof(
      { weight: 20, arbitrary: fc.constant(undefined) },
      { weight: flawed ? 1 : 0, arbitrary: fc.constantFrom(...flawNames) },
    ),
  });

/** Turns plans into drafts. Counts versions as if every draft so far had been recorded. */
function draftsOf(plans: readonly Plan[]): readonly Draft[] {
  const versions = new Map<number, number>();
  const at = (index: number) => things[index] ?? ["NONE", "none"];
  return plans.map(({ moves, dependencies, notAfter, more: members, flaw }) => {
    const id = uuidv7();
    const dependsOn = dependencies.map(({ thing: index, offset: by }): Dependency => {
      const [kind, name] = at(index);
      return { kind, id: name, version: Math.max(0, (versions.get(index) ?? 0) + by) };
    });
    const states = moves.map(({ thing: index, offset: by, state: of }) => {
      const [kind, name] = at(index);
      const version = (versions.get(index) ?? 0) + 1 + by;
      if (by === 0) versions.set(index, version);
      return { kind, id: name, version, state: of };
    });
    const sealed = seal({ ...members, id, ...(states.length === 0 ? {} : { states }) });
    const draft = {
      id,
      ...sealed,
      dependencies: dependsOn,
      notAfter: notAfter === undefined ? undefined : new Date(notAfter),
    };
    return flaw === undefined ? draft : { ...draft, ...flaws[flaw](draft) };
  });
}

/** Drafts for one ledger, in order, that every caller could have made; or, `flawed`, with malformed ones in between. */
export function drafts({ flawed }: { readonly flawed: boolean }): fc.Arbitrary<readonly Draft[]> {
  return fc.array(plan(flawed), { minLength: 1, maxLength: 30, size: "max" }).map(draftsOf);
}
