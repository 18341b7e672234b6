import { v7 as uuidv7 } from "uuid";
import { seal, type UnsealedObject } from "../../../src/facts/commitment.ts";
import { Erasable } from "../../../src/facts/erasable.ts";
import { hashText } from "../../../src/facts/hash.ts";

/** What one proposal of an agent records: the body a server appends, at the size real tool calls have. */

const PERSON = { displayName: "Mia Li", email: "mia.li3818@example.com" };
const ARGUMENTS = {
  cabin: "economy",
  flight_type: "one_way",
  flights: [
    { date: "2024-05-20", flight_number: "HAT136" },
    { date: "2024-05-20", flight_number: "HAT039" },
  ],
  insurance: "no",
  passengers: [{ dob: "1990-04-05", first_name: "Mia", last_name: "Li" }],
  payment_methods: [
    { amount: 250, payment_id: "certificate_7504069" },
    { amount: 5, payment_id: "credit_card_4421486" },
  ],
  user_id: "mia_li_3668",
};
const REQUEST = "Yes, please book it. I want to use my certificates first, and my 7447 card for the balance.";
const RENDERED = `book_reservation on reservations (WRITE, us)\n${JSON.stringify(ARGUMENTS, null, 2)}`;
const HASH = hashText("bench");
const chains = new Map<string, string>();

export interface Facts {
  readonly id: string;
  readonly actionId: string;
  readonly chain: string;
  /** Whether this proposal starts its chain. */
  readonly starts: boolean;
  readonly actor: string;
}

/** The next proposal of a caller in one ledger; the first starts a chain, the others are steps of it. */
export function facts(caller: number, ledger = ""): Facts {
  const key = `${ledger} ${caller}`;
  const chain = chains.get(key) ?? uuidv7();
  const starts = !chains.has(key);
  chains.set(key, chain);
  return { id: uuidv7(), actionId: uuidv7(), chain, starts, actor: `agent-${caller}` };
}

const erasable = (value: unknown) => new Erasable(value as string);

export function body({ actionId, chain, starts, actor }: Facts): UnsealedObject {
  const state = { approvals: 0, expiresAt: "2026-11-22T23:00:00.000000Z", status: "PENDING" };
  const start = {
    id: chain,
    kind: "CHAIN",
    state: { number: 1, platform: "reservations", status: "OPEN" },
    version: 1,
  };
  return {
    type: "ACTION_PROPOSED",
    actor: { groups: [], id: actor, kind: "AGENT", profile: erasable(PERSON), roles: ["agent"] },
    onBehalfOf: { groups: [], id: "member", kind: "HUMAN", profile: erasable(PERSON), roles: ["member"] },
    client: {
      confidence: "HEADER",
      modelConfidence: "UNKNOWN",
      evidence: erasable({ "user-agent": "claude-code/2.1.66 (cli)" }),
      name: "claude-code",
    },
    action: actionId,
    states: [{ id: actionId, kind: "ACTION", state, version: 1 }, ...(starts ? [start] : [])],
    platform: "reservations",
    tool: "book_reservation",
    effect: "WRITE",
    region: "us",
    digest: HASH,
    policy: {
      hash: HASH,
      outcome: "REQUIRE",
      requirements: [{ group: "approvers", id: "writes-one-approver", needed: 1 }],
      rules: [{ because: { effect: "WRITE" }, outcome: "REQUIRE", ruleId: "writes-need-approval" }],
      version: 1,
    },
    arguments: erasable(ARGUMENTS),
    userRequest: erasable(REQUEST),
    rendered: erasable(RENDERED),
    chain,
  };
}

/** The same facts as an ordinary audit table would hold them: values in place, no commitments. */
export function plainEvent(of: Facts): string {
  const unsealed = JSON.parse(
    JSON.stringify({ ...body(of), id: of.id }, (_key, value) =>
      value instanceof Erasable ? JSON.parse(value.text) : value,
    ),
  );
  return JSON.stringify(unsealed);
}

export function sealedDraft(of: Facts) {
  return { id: of.id, ...seal({ ...body(of), id: of.id }) };
}
