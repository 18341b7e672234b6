import type { ClientBase } from "pg";
import { seal, type UnsealedObject } from "../../src/facts/commitment.ts";
import type { LedgerId } from "../../src/facts/entry.ts";
import { Erasable } from "../../src/facts/erasable.ts";
import { sha256Hex } from "../../src/facts/hash.ts";
import { sealSigned } from "../support/ledgers.ts";

/** Ids whose first 16 digits grow with `n`, as UUIDv7 do; the same for the same arguments. */
export function uuid(kind: string, n: number): string {
  const tail = sha256Hex(`${kind} ${n}`);
  const time = (0x0192_f3a0_0000 + n).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${tail.slice(0, 3)}-8${tail.slice(3, 6)}-${tail.slice(6, 18)}`;
}

const TOOLS = [
  { platform: "crm", tool: "get_user_details", effect: "READ" },
  { platform: "reservations", tool: "book_reservation", effect: "WRITE" },
  { platform: "payments", tool: "send_certificate", effect: "WRITE" },
] as const;

const agent = (n: number): UnsealedObject => ({
  id: `agent-${n % 7}`,
  kind: "AGENT",
  roles: ["agent"],
  groups: [],
  profile: new Erasable({ displayName: `Agent ${n % 7}`, email: `agent-${n % 7}@acme.example` }),
});
const approver: UnsealedObject = {
  id: "approver",
  kind: "HUMAN",
  roles: ["approver"],
  groups: ["approvers"],
  profile: new Erasable({ displayName: "Ada Approver", email: "ada@acme.example" }),
};
const member: UnsealedObject = {
  id: "member",
  kind: "HUMAN",
  roles: ["member"],
  groups: [],
  profile: new Erasable({ email: "m@acme.example" }),
};
/** Of everything: long after the tests. */
const DEADLINE = "2099-11-22T23:45:27.499390Z";
const STARTED = "2026-01-01T00:00:00.000000Z";
const client: UnsealedObject = {
  name: "claude-code",
  version: "2.1.0",
  confidence: "HEADER",
  model: "UNKNOWN",
  modelConfidence: "UNKNOWN",
  evidence: new Erasable({ "user-agent": "claude-code/2.1.0 (external, cli)" }),
};

/** The five entries of one action's life, as the domain writes them. */
export function actionBodies(n: number): readonly UnsealedObject[] {
  const id = uuid("action", n);
  const chain = Math.floor(n / 4);
  const facts = {
    ...TOOLS[chain % 3]!,
    region: "eu",
    chain: uuid("chain", chain),
    digest: `sha256:${sha256Hex(id)}`,
    ...(chain % 3 === 1 ? { sourceChain: uuid("chain", chain - 1) } : {}),
  };
  const step = (
    version: number,
    type: string,
    status: string,
    { state, ...rest }: UnsealedObject & { readonly state?: UnsealedObject },
    ...more: readonly UnsealedObject[]
  ): UnsealedObject => ({
    id: uuid("draft", n * 5 + version),
    type,
    ...facts,
    ...(version === 1 ? {} : { policyHash: `sha256:${sha256Hex("policy")}` }),
    action: id,
    states: [{ kind: "ACTION", id, version, state: { status, approvals: version > 1 ? 1 : 0, ...state } }, ...more],
    ...rest,
  });
  const place = { status: "OPEN", number: 1, platform: facts.platform };
  const starts = n % 4 === 0 ? [{ kind: "CHAIN", id: facts.chain, version: 1, state: place }] : [];
  const grant = { id: uuid("grant", n), hash: sha256Hex(`grant ${n}`), expiresAt: DEADLINE };
  const proposer = { actor: agent(chain), onBehalfOf: member };
  return [
    step(
      1,
      "ACTION_PROPOSED",
      "PENDING",
      {
        ...proposer,
        state: { expiresAt: DEADLINE },
        client,
        conversation: `conversation ${chain}`,
        traceId: sha256Hex(id).slice(0, 32),
        policy: {
          hash: `sha256:${sha256Hex("policy")}`,
          version: 1,
          outcome: "REQUIRE",
          rules: [{ ruleId: "writes-one-approver", outcome: "REQUIRE", because: { effect: "WRITE" } }],
          requirements: [{ id: "writes-one-approver", group: "approvers", needed: 1 }],
        },
        arguments: new Erasable({
          user_id: `mia_li_${n}`,
          origin: "JFK",
          destination: "SEA",
          flight_type: "one_way",
          cabin: "economy",
          flights: [
            { flight_number: "HAT136", date: "2024-05-20" },
            { flight_number: "HAT039", date: "2024-05-20" },
          ],
          passengers: [{ first_name: "Mia", last_name: "Li", dob: "1990-04-05" }],
          payment_methods: [{ payment_id: "certificate_7504069", amount: 250.5 }],
          insurance: "no",
        }),
        userRequest: new Erasable(
          "Book me the cheapest flight from New York to Seattle on May 20, after 11am – “economy” please.",
        ),
        rationale: new Erasable(
          "The customer asked for a one-way economy booking; the certificate covers part of the price.",
        ),
        rendered: new Erasable(
          `reservations.book_reservation\n  user_id: mia_li_${n}\n  origin: JFK\n  destination: SEA\n  cabin: economy`,
        ),
      },
      ...starts,
    ),
    step(2, "ACTION_APPROVED", "APPROVED", {
      actor: approver,
      client,
      state: { grant: { expiresAt: DEADLINE } },
      decision: { verdict: "APPROVE", channel: "API", note: new Erasable("fine by me") },
    }),
    step(3, "GRANT_ISSUED", "APPROVED", { ...proposer, client, state: { grant }, grant: { id: grant.id } }),
    step(4, "GRANT_REDEEMED", "EXECUTING", {
      ...proposer,
      client,
      state: { expiresAt: DEADLINE, startedAt: STARTED, grant },
      grant: { id: grant.id },
    }),
    step(5, "ACTION_COMPLETED", "SUCCEEDED", {
      ...proposer,
      client,
      state: { startedAt: STARTED, grant },
      outcome: "SUCCEEDED",
      latencyMs: 1234,
      result: new Erasable({ reservation_id: `HAT${n}`, status: "confirmed", total: 250.5 }),
    }),
  ];
}

/** Creates `ledger` when it is missing. */
export async function createLedger(client: ClientBase, ledger: string): Promise<void> {
  const { body } = seal({
    id: uuid(ledger, 0),
    type: "LEDGER_CREATED",
    actor: { id: "countersign", kind: "SERVICE", roles: [], groups: [] },
  });
  await client.query("SELECT oc_ledger_create($1, $2)", [ledger, body]);
}

/** Appends the lives of actions `from` up to, not including, `to`: five entries each, batches of 250. */
export async function appendActions(client: ClientBase, ledger: LedgerId, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 50) {
    const lives = Array.from({ length: Math.min(50, to - at) }, (_, index) => actionBodies(at + index));
    for (let stage = 0; stage < 5; stage++) {
      const drafts = lives.map((life) => sealSigned(ledger, life[stage]!));
      const { rows } = await client.query<{ refusal: string | null }>(
        "SELECT refusal FROM oc_ledger_append($1, $2, $3)",
        [ledger, drafts.map(({ body }) => body).join("\n"), drafts.map(({ payload }) => payload).join("\n")],
      );
      const refused = rows.find(({ refusal }) => refusal !== null);
      if (refused !== undefined) throw new Error(`a draft of the fixture was refused: ${refused.refusal}`);
    }
  }
}
