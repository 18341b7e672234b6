// Prints vectors of entry format 1, written by the database's own append function on an empty database:
// `node test/vectors/make.ts > test/vectors/entry-v1.json`. Vectors of a released format are not made again.
import type { Pool } from "pg";
import { migrate } from "../../src/db/migrate.ts";
import { createPool } from "../../src/db/pool.ts";
import { factJwks } from "../../src/domain/identity/fact-keys.ts";
import type { JsonObject } from "../../src/facts/canonical.ts";
import { type Sealed, seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { searchEntries } from "../../src/ledger/search.ts";
import { sealSigned } from "../support/ledgers.ts";
import { silent } from "../support/log.ts";
import { startTestServer } from "../support/server.ts";
import { signatureVectors, VECTOR_KEYS } from "./signatures.ts";

const LEDGER: LedgerId = "vectors/eu-1";
const id = (n: number) => `01920000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
const sha = (digit: string) => `sha256:${digit.repeat(64)}`;

const AGENT: UnsealedObject = {
  id: "agent",
  kind: "AGENT",
  roles: ["agent"],
  groups: [],
  profile: new Erasable({ displayName: "Reiseagent Jürgen", email: "agent@example.com" }),
};
const MEMBER: UnsealedObject = {
  id: "member",
  kind: "HUMAN",
  roles: ["member"],
  groups: [],
  profile: new Erasable({ email: "m@example.com" }),
};
const SYSTEM: UnsealedObject = { id: "countersign", kind: "SERVICE", roles: [], groups: [] };

const nested = (depth: number): unknown => (depth === 0 ? "innermost" : { b: [nested(depth - 1)], a: depth });

const PROPOSAL: UnsealedObject = {
  id: id(2),
  type: "ACTION_PROPOSED",
  actor: AGENT,
  onBehalfOf: MEMBER,
  client: {
    name: "example-agent",
    version: "1.2.3",
    confidence: "HEADER",
    modelConfidence: "UNKNOWN",
    evidence: new Erasable({ "user-agent": "example-agent/1.2.3" }),
  },
  session: id(0xa0),
  conversation: "conversation 1",
  traceId: "0af7651916cd43dd8448eb211c80319c",
  action: id(0xb0),
  states: [
    {
      kind: "ACTION",
      id: id(0xb0),
      version: 1,
      state: { status: "PENDING", approvals: 0, expiresAt: "2030-01-01T00:00:00.000000Z" },
    },
    { kind: "CHAIN", id: id(0xc0), version: 1, state: { status: "OPEN", number: 1, platform: "reservations" } },
  ],
  platform: "reservations",
  tool: "book_reservation",
  effect: "WRITE",
  region: "eu",
  digest: sha("d"),
  policy: {
    hash: sha("e"),
    version: 1,
    outcome: "REQUIRE",
    rules: [{ ruleId: "writes-one-approver", outcome: "REQUIRE", because: { effect: "WRITE" } }],
    requirements: [
      {
        id: "writes-one-approver",
        group: "approvers",
        needed: 1,
        assurance: "MFA",
        note: true,
        approver: [{ roles: ["approver"], regions: ["eu", "uk"] }],
        ttl: 3600,
        escalation: { at: "2030-01-01T00:00:00.000000Z", group: "managers" },
      },
    ],
  },
  home: { ledger: "vectors/us", seq: "12" },
  reads: {
    known: [
      { platform: "crm", region: "us", ledger: "vectors/us", seq: "9", hash: "9".repeat(64) },
      { platform: "mail", region: "eu", ledger: "vectors/eu-1" },
    ],
    unread: ["ap"],
  },
  measures: { price: "188.50" },
  arguments: new Erasable({
    passengers: [{ first_name: "Zoë", last_name: "Ångström" }],
    flight: "HAT170",
    price: 188.5,
  }),
  userRequest: new Erasable("Bitte buche mir den Flug für morgen früh."),
  rationale: new Erasable("The member asked for the early flight."),
  rendered: new Erasable("book_reservation on reservations"),
  chain: id(0xc0),
};

const APPROVED: UnsealedObject = {
  type: "ACTION_APPROVED",
  policyHash: sha("e"),
  platform: "reservations",
  tool: "book_reservation",
  effect: "WRITE",
  region: "eu",
  digest: sha("d"),
  chain: id(0xc0),
};
const instantIn = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().replace("Z", "000Z");
const [FROM, TO] = [instantIn(0), instantIn(29)];
const delegation = (version: number, status: string): UnsealedObject => ({
  delegation: id(0xd0),
  states: [
    {
      kind: "DELEGATION",
      id: id(0xd0),
      version,
      state: { status, delegator: "approver", delegate: "deputy", group: "approvers", startsAt: FROM, expiresAt: TO },
    },
  ],
});

const nameless = (n: number, more: UnsealedObject): UnsealedObject => ({
  id: id(n),
  type: "NOTE",
  actor: SYSTEM,
  ...more,
});

/** Drafts by what they are about; those of one list are appended in one call, so they share a `recordedAt`. */
const BATCHES: readonly (readonly (readonly [name: string, body: UnsealedObject])[])[] = [
  [
    [
      "the start of a session, for the person an agent acts for",
      {
        id: id(14),
        type: "SESSION_STARTED",
        actor: AGENT,
        onBehalfOf: MEMBER,
        session: id(0xa0),
        states: [
          {
            kind: "SESSION",
            id: id(0xa0),
            version: 1,
            state: { status: "OPEN", expiresAt: "2126-01-01T00:00:00.000000Z" },
          },
        ],
        method: "passkey",
        conversation: "conversation 1",
      },
    ],
    ["a proposal with every kind of member", PROPOSAL],
  ],
  [
    [
      "a decision, which gives the action its next state",
      {
        ...APPROVED,
        id: id(3),
        actor: { id: "approver", kind: "HUMAN", roles: ["approver"], groups: ["approvers"] },
        action: id(0xb0),
        states: [
          {
            kind: "ACTION",
            id: id(0xb0),
            version: 2,
            state: { status: "APPROVED", approvals: 1, grant: { expiresAt: "2030-01-01T00:15:00.000000Z" } },
          },
        ],
        decision: {
          verdict: "APPROVE",
          channel: "API",
          assurance: "MFA",
          region: "eu",
          asOf: "2026-01-01T00:00:00.000000Z",
          note: new Erasable("einverstanden 👍"),
        },
      },
    ],
  ],
  [
    [
      "unicode: several scripts, combining marks, an emoji beyond the BMP, noncharacters",
      nameless(4, {
        text: "Ünïcödé ключ 漢字 עברית e\u0301 👩🏽‍🚀 \ufdd0 \uffff",
        arguments: new Erasable({ ключ: "значение", "😀": "\u{10ffff}" }),
      }),
    ],
    [
      "escapes: quote, backslash, solidus, every control character but NUL, DEL, U+2028, U+2029",
      nameless(5, {
        text: `" \\ / ${Array.from({ length: 31 }, (_, n) => String.fromCharCode(n + 1)).join("")} \u007f \u2028 \u2029`,
        arguments: new Erasable('tab\t, line feed\n, "quoted", C:\\path, </script>'),
      }),
    ],
    [
      "empty values: an object, a list, a string, null",
      nameless(6, {
        arguments: new Erasable({}),
        result: new Erasable([]),
        rationale: new Erasable(""),
        error: new Erasable(null),
        rules: [],
      }),
    ],
  ],
  [
    [
      "NUL in an erasable value, in a key of it, and a backslash before it",
      nameless(7, {
        arguments: new Erasable({ nul: "a\0b", "key\0": "\\\0", literal: "\\u0000" }),
      }),
    ],
    [
      "numbers in an erasable value, fractions and extremes too",
      nameless(8, {
        arguments: new Erasable([
          0, -0, 1, -1.5, 0.1, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 9007199254740991, 333333333.3333333,
        ]),
      }),
    ],
    [
      "order of keys: by UTF-16 code units, not by code points",
      nameless(9, {
        arguments: new Erasable({
          "\u20ac": 1,
          "\r": 2,
          "\ufb33": 3,
          "1": 4,
          "\u{1f600}": 5,
          "\u0080": 6,
          "\u00f6": 7,
          "": 8,
          A: 9,
          a: 10,
          "10": 11,
          "9": 12,
        }),
      }),
    ],
    [
      "names that mean something to JavaScript",
      nameless(10, {
        platform: "constructor",
        tool: "__proto__",
        arguments: new Erasable(JSON.parse('{"__proto__":{"polluted":true},"constructor":null,"toString":"x"}')),
      }),
    ],
    [
      "deep and wide: 30 levels of objects and lists, 1,000 members",
      nameless(11, {
        arguments: new Erasable(nested(30) as never),
        result: new Erasable(
          Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`member ${n}`, "x".repeat(n % 17)])),
        ),
      }),
    ],
    [
      "erasable values inside lists",
      nameless(12, { notes: [new Erasable("first"), "kept", { text: new Erasable("third") }] }),
    ],
    ["nothing erasable", nameless(13, { reason: "GRANT_SPENT", action: id(0xb0) })],
  ],
  [
    [
      "a right to approve, lent",
      {
        ...delegation(1, "MADE"),
        id: id(17),
        type: "DELEGATION_MADE",
        actor: { id: "approver", kind: "HUMAN", roles: ["approver"], groups: ["approvers"] },
        note: new Erasable("holidays"),
      },
    ],
    [
      "another proposal, in the same chain",
      {
        ...PROPOSAL,
        id: id(18),
        action: id(0xb1),
        policy: {
          ...(PROPOSAL.policy as UnsealedObject),
          requirements: [{ id: "writes-one-approver", group: "approvers", needed: 1 }],
        },
        states: [
          {
            kind: "ACTION",
            id: id(0xb1),
            version: 1,
            state: { status: "PENDING", approvals: 0, expiresAt: "2030-01-01T00:00:00.000000Z" },
          },
        ],
      },
    ],
  ],
  [
    [
      "a decision by a right that was lent",
      {
        ...APPROVED,
        id: id(19),
        actor: { id: "deputy", kind: "HUMAN", roles: [], groups: ["others"] },
        action: id(0xb1),
        states: [
          {
            kind: "ACTION",
            id: id(0xb1),
            version: 2,
            state: { status: "APPROVED", approvals: 1, grant: { expiresAt: "2030-01-01T00:15:00.000000Z" } },
          },
        ],
        decision: {
          verdict: "APPROVE",
          channel: "API",
          delegatedBy: { id: "approver", group: "approvers", delegation: id(0xd0) },
        },
      },
    ],
    [
      "the end of what was lent",
      {
        ...delegation(2, "ENDED"),
        id: id(20),
        type: "DELEGATION_ENDED",
        actor: { id: "approver", kind: "HUMAN", roles: ["approver"], groups: ["approvers"] },
      },
    ],
  ],
  [
    [
      "a thing of the directory, with its profile",
      {
        id: id(15),
        type: "PRINCIPAL_INVITED",
        actor: { id: "admin", kind: "HUMAN", roles: ["admin"], groups: [] },
        states: [
          {
            kind: "PRINCIPAL",
            id: "agent",
            version: 1,
            state: {
              kind: "AGENT",
              owner: "member",
              invitedAt: "2026-11-26T07:38:43.000000Z",
              platforms: ["reservations"],
              roles: [],
              suspended: false,
            },
          },
        ],
        subject: { id: "agent", kind: "AGENT", profile: new Erasable({ displayName: "Reiseagent Jürgen" }) },
      },
    ],
    [
      "a policy of the home region, which the ledger of another region works under",
      nameless(41, {
        type: "POLICY_ADOPTED",
        policy: { version: 2, hash: sha("e") },
        home: { ledger: "vectors/us", seq: "11", hash: "b".repeat(64) },
        states: [{ kind: "POLICY_COPY", id: "policy", version: 1, state: { version: 2, hash: sha("e") } }],
      }),
    ],
    [
      "entries of the home ledger, copied to the ledger of another region",
      nameless(42, {
        type: "HOME_COPIED",
        home: { ledger: "vectors/us", after: "0", seq: "12", hash: "c".repeat(64) },
        copies: new Erasable([{ entry: "{}", payload: {} }]),
        states: [{ kind: "HOME_COPY", id: "home", version: 1, state: { seq: "12", hash: "c".repeat(64) } }],
      }),
    ],
    [
      "the end of a session, by whoever started it",
      nameless(16, {
        type: "SESSION_ENDED",
        actor: AGENT,
        onBehalfOf: MEMBER,
        conversation: "conversation 1",
        session: id(0xa0),
        states: [{ kind: "SESSION", id: id(0xa0), version: 2, state: { status: "ENDED" } }],
        reason: "LOGOUT",
      }),
    ],
  ],
];

interface Vector {
  readonly name: string;
  readonly recordedAt: string;
  readonly prevHash: string;
  readonly seq: string;
  readonly body: string;
  readonly payload: string;
  readonly entry: string;
  readonly hash: string;
}

async function make(pool: Pool): Promise<readonly Vector[]> {
  const genesis = seal({ id: id(1), type: "LEDGER_CREATED", actor: SYSTEM });
  const sealed: [string, Sealed][] = [["the first entry of a ledger", genesis]];
  await pool.query("SELECT * FROM oc_ledger_create($1::text, $2::text)", [LEDGER, genesis.body]);
  for (const batch of BATCHES) {
    const drafts = batch.map(([name, body]): [string, Sealed] => [name, sealSigned(LEDGER, body)]);
    sealed.push(...drafts);
    const bodies = drafts.map(([, { body }]) => body).join("\n");
    const payloads = drafts.map(([, { payload }]) => payload).join("\n");
    await pool.query("SELECT * FROM oc_ledger_append($1::text, $2::text, $3::text)", [LEDGER, bodies, payloads]);
  }
  const entries = await searchEntries(pool, LEDGER, {}, { limit: sealed.length + 1 });
  if (entries.length !== sealed.length) throw new Error(`${sealed.length} drafts made ${entries.length} entries`);
  return entries.map(({ recordedAt, prevHash, seq, entry, hash }, index) => {
    const [name, { body, payload }] = sealed[index] as [string, Sealed];
    return { name, recordedAt, prevHash, seq: String(seq), body, payload, entry, hash };
  });
}

const server = await startTestServer();
try {
  await migrate({ connectionString: server.url, log: silent });
  const pool = createPool({ connectionString: server.url, max: 1, applicationName: "vectors", log: silent });
  const entries = await make(pool);
  await pool.end();
  const approval = entries.find(({ body }) => body.includes("ACTION_APPROVED"));
  const { signature, ...unsigned } = JSON.parse(approval?.body ?? "{}") as JsonObject;
  if (signature === undefined) throw new Error("the approval is not signed");
  const jwks = factJwks(VECTOR_KEYS);
  const signatures = signatureVectors(LEDGER, unsigned);
  process.stdout.write(`${JSON.stringify({ format: 1, ledger: LEDGER, entries, jwks, signatures }, null, 2)}\n`);
} finally {
  await server.stop();
}
