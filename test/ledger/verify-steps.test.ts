import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UnsealedObject } from "../../src/facts/commitment.ts";
import { SYSTEM_ACTOR } from "../../src/facts/envelope.ts";
import {
  also,
  ann,
  approval,
  ben,
  but,
  changed,
  grantOf,
  life,
  openRules,
  past,
  person,
  type Rules,
  requiring,
  step,
  two,
} from "./rules.fixture.ts";
import { newId } from "./scene.ts";

/** Entries about actions that may not follow those before them, and beside them some that may. */ let rules: Rules;

beforeAll(async () => {
  rules = await openRules();
});
afterAll(() => rules.close());

describe("an action that keeps every rule", () => {
  it.each<readonly [string, readonly UnsealedObject[]]>([
    ["from its proposal to its outcome", life()],
    ["approved by two people", [but(life()[0], two), approval(2, "PENDING", ann), approval(3, "APPROVED", ben)]],
    [
      "approved by people of two groups, one of them in both",
      [
        but(life()[0], requiring({ id: "a", group: "approvers", needed: 1 }, { id: "l", group: "legal", needed: 1 })),
        approval(2, "PENDING", ben),
        approval(3, "APPROVED", ann),
      ],
    ],
    [
      "denied",
      [life()[0], step(2, "ACTION_DENIED", { decision: { verdict: "DENY", channel: "API" } }, { status: "DENIED" })],
    ],
    [
      "expired",
      [
        but(life()[0], {}, { expiresAt: past }),
        step(2, "ACTION_EXPIRED", { actor: SYSTEM_ACTOR, reason: "EXPIRED" }, { status: "EXPIRED" }),
      ],
    ],
    [
      "cancelled by its proposer",
      [
        life()[0],
        step(
          2,
          "ACTION_CANCELLED",
          { actor: life()[0].actor, onBehalfOf: life()[0].onBehalfOf },
          { status: "CANCELLED" },
        ),
      ],
    ],
  ])("is intact: %s", async (_name, bodies) => {
    const { whole, last } = await rules.found(bodies);
    expect(whole).toEqual({ verdict: "INTACT", problems: [] });
    expect(last).toEqual({ verdict: "INTACT", problems: [] });
  });
});

/** Name, the entries, and why the last of them is not legal. */
const ILLEGAL: readonly (readonly [string, readonly UnsealedObject[], RegExp])[] = [
  [
    "approved by an agent",
    changed(1, { actor: { ...ann, kind: "AGENT" } }),
    /ann may not record it: it is for APPROVER/,
  ],
  [
    "approved by the agent that proposed it",
    changed(1, { actor: { ...person("agent-0", "approvers") } }),
    /may not record it/,
  ],
  ["approved by the person it is for", changed(1, { actor: person("member", "approvers") }), /may not record it/],
  ["approved on behalf of the person it is for", changed(1, { onBehalfOf: person("member") }), /may not record it/],
  [
    "approved by somebody of no group that is asked",
    changed(1, { actor: person("zoe", "others") }),
    /may not record it/,
  ],
  [
    "denied by somebody of no group that is asked",
    [
      life()[0],
      step(
        2,
        "ACTION_DENIED",
        { actor: person("zoe"), decision: { verdict: "DENY", channel: "API" } },
        { status: "DENIED" },
      ),
    ],
    /may not record it/,
  ],
  [
    "approved by one of two people",
    also(changed(1, {}), 0, two),
    /is APPROVED with 1 of the 2 approvals needed of approvers/,
  ],
  [
    "approved twice by one person",
    [but(life()[0], two), approval(2, "PENDING", ann), approval(3, "APPROVED", ann)],
    /ann approved before: one person is one approval.*APPROVED with 1 of the 2/,
  ],
  [
    "approved by one of whom it is not known whether they asked for it",
    changed(1, { identity: "UNKNOWN" }),
    /with an approval that has identity, and not with one more/,
  ],
  [
    "pending with an approval more than one by somebody unknown",
    [
      life()[0],
      { ...approval(2, "PENDING", ann), identity: "UNKNOWN" },
      { ...approval(3, "PENDING", ben), identity: "UNKNOWN" },
    ],
    /PENDING with all approvals needed/,
  ],
  [
    "approved by two people of one of two groups",
    [
      but(life()[0], requiring({ id: "a", group: "approvers", needed: 1 }, { id: "l", group: "legal", needed: 1 })),
      approval(2, "PENDING", ann),
      approval(3, "APPROVED", person("cat", "approvers")),
    ],
    /APPROVED with 0 of the 1 approvals needed of legal/,
  ],
  [
    "approved after its deadline",
    also(changed(1, {}), 0, {}, { expiresAt: past }),
    /the deadline of the ACTION, 2020.*, had passed/,
  ],
  [
    "approved at another digest",
    changed(1, { digest: `sha256:${"0".repeat(64)}` }),
    /digest is not digest of the entry that made/,
  ],
  [
    "approved under another policy",
    changed(1, { policyHash: `sha256:${"0".repeat(64)}` }),
    /policyHash is not policy.hash/,
  ],
  ["approved for another tool", changed(1, { tool: "other" }), /tool is not tool of the entry that made the ACTION/],
  [
    "approved more often than it was",
    changed(1, {}, { approvals: 2 }),
    /approvals of the ACTION is not one more than before/,
  ],
  [
    "approved by the entry of another type",
    [life()[0], step(2, "GRANT_ISSUED", { grant: { id: grantOf(2).id } }, { status: "APPROVED", grant: grantOf(2) })],
    /may not go from PENDING to APPROVED by an entry of type GRANT_ISSUED/,
  ],
  [
    "started without approval",
    [life()[0], { ...life()[3], states: [{ ...(life()[3].states as UnsealedObject[])[0], version: 2 }] }],
    /may not go from PENDING to EXECUTING/,
  ],
  [
    "denied, and pending again",
    [
      life()[0],
      step(2, "ACTION_DENIED", { decision: { verdict: "DENY", channel: "API" } }, { status: "DENIED" }),
      approval(3, "PENDING", ann),
    ],
    /may not go from DENIED to PENDING/,
  ],
  [
    "with a grant for another agent",
    changed(2, { actor: { ...person("agent-9"), kind: "AGENT" } }),
    /agent-9 may not record it: it is for MAKER/,
  ],
  ["with a grant for another person's agent", changed(2, { onBehalfOf: person("boss") }), /may not record it/],
  [
    "with a grant that is good for longer",
    changed(2, {}, { grant: { ...grantOf(2), expiresAt: "2199-01-01T00:00:00.000000Z" } }),
    /grant.expiresAt of the ACTION is another/,
  ],
  [
    "with a grant after its end",
    also(changed(2, {}, { grant: { ...grantOf(2), expiresAt: past } }), 1, {}, { grant: { expiresAt: past } }),
    /the deadline of the ACTION, 2020.*, had passed/,
  ],
  [
    "with a grant in place of one that there was not",
    changed(2, { grant: { id: grantOf(2).id, voids: newId() } }),
    /grant.voids is not grant.id of the ACTION before/,
  ],
  [
    "redeemed by another grant",
    changed(3, { grant: { id: newId() } }),
    /grant.id is not grant.id of the ACTION before/,
  ],
  [
    "redeemed by a grant of another token",
    changed(3, {}, { grant: { ...grantOf(3), hash: "0".repeat(64) } }),
    /grant of the ACTION is another/,
  ],
  [
    "redeemed twice",
    [...life().slice(0, 4), { ...life()[3], states: [{ ...(life()[3].states as UnsealedObject[])[0], version: 5 }] }],
    /may not go from EXECUTING to EXECUTING by an entry of type GRANT_REDEEMED/,
  ],
  ["completed by somebody else", changed(4, { actor: person("zoe") }), /zoe may not record it/],
  [
    "expired before its deadline",
    [life()[0], step(2, "ACTION_EXPIRED", { actor: SYSTEM_ACTOR, reason: "EXPIRED" }, { status: "EXPIRED" })],
    /had not passed/,
  ],
  [
    "ambiguous before its deadline",
    [
      ...life().slice(0, 4),
      step(
        5,
        "ACTION_AMBIGUOUS",
        { actor: SYSTEM_ACTOR, reason: "OUTCOME_NEVER_TOLD" },
        { status: "AMBIGUOUS", approvals: 1, startedAt: "2026-01-01T00:00:00.000000Z", grant: grantOf(3) },
      ),
    ],
    /had not passed/,
  ],
  [
    "cancelled by another agent",
    [life()[0], step(2, "ACTION_CANCELLED", { actor: { ...ann, kind: "AGENT" } }, { status: "CANCELLED" })],
    /may not record it/,
  ],
];

describe("an action that was", () => {
  it.each(ILLEGAL)("%s is an illegal step", async (_name, bodies, detail) => {
    const { whole, last } = await rules.found(bodies);
    const problem = new RegExp(`^ILLEGAL_STEP ${bodies.length + 1} ACTION .{36}:? .*${detail.source}`);
    expect(whole).toEqual({ verdict: "ILLEGAL_STEP", problems: [expect.stringMatching(problem)] });
    // Also when what it has to follow is outside of the part that is verified.
    expect(last).toEqual({ verdict: "ILLEGAL_STEP", problems: [expect.stringMatching(problem)] });
  });
});
