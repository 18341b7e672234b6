import fc from "fast-check";
import type { JsonValue } from "../../src/facts/canonical.ts";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import type { EntryRange } from "../../src/ledger/read.ts";
import type { ReadScope } from "../../src/ledger/read-scope.ts";
import type { EntryFilter } from "../../src/ledger/search.ts";
import { sessionStep } from "./scene.ts";
import { uuid } from "./verify.fixture.ts";

/** Texts that are hard to compare, with every form of each. */
const TEXTS: readonly string[] = [
  "Zoë Šimková",
  "ΟΔΟΣ",
  "İstanbul",
  "STRASSE straße",
  "ﬁne print",
  "\u212aelvin",
  "名前",
  "한글",
  "a\0b",
  "C:\\dir\\u0000",
  'said "now"',
  "{x}: [1, 2]",
  "a：b，c",
  "no\u00a0break ´",
  "\uffff",
  "0000",
  "hippopotamus",
  "q",
  "mia_li_77@acme.example",
  "\u{1d4b3}\u0301",
].flatMap((text) => [text, text.normalize("NFD"), text.toUpperCase()]);
const NUMBERS = [0, -1, 250.5, 0.1, 1e21, 1e-7, 2 ** 53 - 1, 1000];
const KEYS = ["user_id", "k\0", "\u00e9", "e\u0301", "10", "9", "deep", "to"];
const IDS = Array.from({ length: 6 }, (_, n) => uuid("search", n));
const ACTORS = ["bot", "mia", "noah", "ann"];
const PEOPLE = ["mia", "noah"];
const GROUPS = ["finance", "legal", "approvers"];
const TYPES = ["NOTE", "ACTION_PROPOSED", "ACTION_APPROVED", "RARE"];

const text = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...TEXTS) },
  fc.string({ unit: "grapheme", maxLength: 12 }),
);
const scalar = fc.oneof(text, fc.constantFrom(...NUMBERS), fc.constantFrom(true, null));
const json = fc.letrec<{ readonly value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie("value"), { maxKeys: 3 }),
  ),
})).value;
const often = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 });
const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
const profile = often(text.map((email) => new Erasable({ email })));
const groups = fc.subarray(GROUPS, { maxLength: 2 });

/** The body of an entry, which proposes an action of its own if it is the first to name it. */
const body = fc
  .record({
    type: fc.constantFrom("NOTE", "NOTE", "ACTION_PROPOSED", "ACTION_APPROVED"),
    actor: fc.record({ id: fc.constantFrom(...ACTORS), profile }),
    onBehalfOf: often(fc.record({ id: fc.constantFrom(...PEOPLE), profile })),
    platform: often(fc.constantFrom("crm", "mail")),
    tool: often(fc.constantFrom("find", "send")),
    effect: often(fc.constantFrom("READ", "WRITE")),
    session: rarely(fc.constantFrom(...IDS)),
    chain: often(fc.constantFrom(...IDS)),
    sourceChain: rarely(fc.constantFrom(...IDS)),
    note: often(fc.constantFrom(...TEXTS.filter((each) => !each.includes("\0")))),
    arguments: often(fc.oneof(json, fc.array(scalar, { maxLength: 3 })).map((value) => new Erasable(value))),
    result: rarely(json.map((value) => new Erasable(value))),
    asked: groups,
    action: fc.nat({ max: 400 }),
  })
  .map(({ asked, action, ...more }): UnsealedObject & { readonly about: number } => ({
    ...more,
    // A proposal would have to move its chain.
    ...(more.type === "ACTION_PROPOSED" ? { chain: undefined } : {}),
    about: action,
    policy: { requirements: asked.map((group) => ({ group, id: group, needed: 1 })) },
  }));

/** Bodies of entries that start the sessions of the random ones. */
export const sessionBodies: readonly UnsealedObject[] = IDS.map((id) => sessionStep(id, 1));

/** `count` bodies of entries, the same for the same seed. Some are about an action that nobody has proposed, or not yet. */
export function randomBodies(count: number, seed: number): readonly UnsealedObject[] {
  const proposed = new Set<number>();
  return fc.sample(body, { numRuns: count, seed }).map(({ about, ...rest }) => {
    const id = uuid("action", about as number);
    if (rest.type === "NOTE") return rest;
    if (rest.type !== "ACTION_PROPOSED" || proposed.has(about as number)) return { ...rest, action: id };
    proposed.add(about as number);
    return {
      ...rest,
      action: id,
      states: [{ kind: "ACTION", id, version: 1, state: { approvals: 0, status: "PENDING" } }],
    };
  });
}

/** One search of a ledger. */
export interface RandomSearch {
  readonly filter: EntryFilter;
  readonly range: EntryRange;
  readonly scopes: readonly ReadScope[] | undefined;
}

const part = fc.tuple(fc.constantFrom(...TEXTS), fc.nat({ max: 8 }), fc.integer({ min: 1, max: 9 }));
const words = fc
  .array(
    fc.oneof(
      part.map(([from, at, length]) => from.slice(at, at + length)),
      fc.constantFrom("absent", "e", "1e+21", "10"),
    ),
    {
      minLength: 1,
      maxLength: 2,
    },
  )
  .map((all) => all.join(" "));
const fragment = fc.oneof(
  json,
  scalar,
  fc.tuple(fc.constantFrom(...KEYS), scalar).map(([key, value]) => ({ [key]: value })),
  scalar.map((value) => [value]),
);
const scope: fc.Arbitrary<ReadScope> = fc.oneof(
  fc.record({ actorIds: fc.subarray(ACTORS), people: fc.subarray<string | null>([...PEOPLE, null]) }),
  fc.record({ actorIds: fc.subarray(ACTORS) }),
  fc.record({ people: fc.subarray(PEOPLE) }),
  fc.record({ askedGroups: groups }),
);

/** Searches of a ledger whose entries have positions and times among those given. */
export function randomSearch(lastSeq: number, times: readonly string[]): fc.Arbitrary<RandomSearch> {
  const position = fc.nat({ max: lastSeq + 10 }).map(BigInt);
  const time = fc.constantFrom(...times);
  const filter: fc.Arbitrary<EntryFilter> = fc.record(
    {
      types: fc.subarray(TYPES),
      platform: fc.constantFrom("crm", "mail", "absent"),
      tool: fc.constantFrom("find", "send", "absent"),
      effect: fc.constantFrom("READ", "WRITE"),
      actorId: fc.constantFrom(...ACTORS, "nobody"),
      onBehalfOfId: fc.constantFrom(...PEOPLE, "nobody"),
      sessionId: fc.constantFrom(...IDS.map((id) => id.toUpperCase())),
      chainHash: fc.constantFrom(...IDS),
      sourceChainHash: fc.constantFrom(...IDS),
      actionId: fc.nat({ max: 400 }).map((n) => uuid("action", n)),
      recordedFrom: time,
      recordedTo: time,
      text: words,
      contains: fragment,
      actorEmail: fc.constantFrom(...TEXTS),
    },
    { requiredKeys: [] },
  );
  const few = fc.tuple(filter, fc.subarray([...FILTER_MEMBERS], { minLength: 1, maxLength: 3 }));
  return fc.record({
    filter: few.map(([all, kept]) => Object.fromEntries(Object.entries(all).filter(([name]) => kept.includes(name)))),
    range: fc.record({
      after: rarely(position),
      before: rarely(position),
      newestFirst: fc.boolean(),
      limit: fc.constantFrom(1, 7, 40, 5_000),
    }),
    scopes: rarely(fc.array(scope, { minLength: 1, maxLength: 3 })),
  });
}

const FILTER_MEMBERS = [
  "types",
  "platform",
  "tool",
  "effect",
  "actorId",
  "onBehalfOfId",
  "sessionId",
  "chainHash",
  "sourceChainHash",
  "actionId",
  "recordedFrom",
  "recordedTo",
  "text",
  "text",
  "contains",
  "contains",
  "actorEmail",
];
