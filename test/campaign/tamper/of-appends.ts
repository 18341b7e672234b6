import { randomUUID } from "node:crypto";
import { canonicalize, type JsonObject } from "../../../src/facts/canonical.ts";
import { approve, claim, complete, redeem, suspend } from "./attempts.ts";
import type { Manipulation } from "./manipulation.ts";
import type { ActionName, Body, Facts } from "./prepare.ts";

const UNSIGNED =
  "Whoever has the server's login of the database can append facts that open nothing, such as reads, cancellations and reported " +
  "outcomes: these carry no signature. Each has to follow the rules and stays in the ledger.";

/** The body of a recorded entry. Throws when there is none. */
function recorded(facts: Facts, type: string, of?: ActionName): JsonObject {
  const body = facts.bodies.get(of === undefined ? type : `${type} ${facts.actions[of].uuid}`);
  if (body === undefined) throw new Error(`no ${type} was recorded of ${of}`);
  return body as JsonObject;
}
const text = (body: Body) => canonicalize({ ...body, id: randomUUID() } as JsonObject);
const unsigned = ({ signature: _, ...body }: Body): Body => body;

/** What `body` says of an action, said of another one that moves to `version` and `state`. */
function about(facts: Facts, of: ActionName, body: Body, version: number, state: object): Body {
  const proposal = recorded(facts, "ACTION_PROPOSED", of);
  const terms = ["action", "platform", "tool", "effect", "region", "chain", "sourceChain", "digest"];
  return {
    ...body,
    ...Object.fromEntries(terms.flatMap((name) => (proposal[name] === undefined ? [] : [[name, proposal[name]]]))),
    policyHash: (proposal.policy as JsonObject).hash,
    states: [{ kind: "ACTION", id: facts.actions[of].uuid, version, state }],
  };
}
const GRANTED = { status: "APPROVED", approvals: 1, grant: { expiresAt: "2099-01-01T00:00:00.000000Z" } };
const approvalOf = (facts: Facts, of: ActionName, version = 2) =>
  about(facts, of, recorded(facts, "ACTION_APPROVED", "approved"), version, GRANTED);
const withoutValues = (body: Body): Body => {
  const { decision, ...rest } = body as Body & { readonly decision?: JsonObject };
  const { note: _, ...kept } = decision ?? {};
  return decision === undefined ? rest : { ...rest, decision: kept };
};
const bare = ({ actor, onBehalfOf, client: _, ...body }: Body): Body => {
  const person = (value: unknown) => {
    const { profile: __, ...known } = value as JsonObject;
    return known;
  };
  return { ...body, actor: person(actor), ...(onBehalfOf === undefined ? {} : { onBehalfOf: person(onBehalfOf) }) };
};

export const OF_APPENDS: readonly Manipulation[] = [
  {
    name: "an approval without a signature",
    forge: (facts) => [text(bare(withoutValues(unsigned(approvalOf(facts, "pending")))))],
    attempts: [claim("pending")],
  },
  {
    name: "an approval with the signature of another",
    forge: (facts) => [text(bare(withoutValues(approvalOf(facts, "pending"))))],
    attempts: [claim("pending")],
  },
  {
    name: "an approval that is a copy of another",
    forge: (facts) =>
      [canonicalize(recorded(facts, "ACTION_APPROVED", "approved"))].map((body) =>
        body.replace(
          /"states":\[.*?\],/,
          `"states":${JSON.stringify([{ id: facts.actions.pending.uuid, kind: "ACTION", state: { approvals: 1, grant: GRANTED.grant, status: "APPROVED" }, version: 2 }])},`,
        ),
      ),
    attempts: [claim("pending")],
  },
  {
    name: "an approval of an action that was denied",
    forge: (facts) => [text(bare(withoutValues(approvalOf(facts, "denied", 3))))],
    attempts: [claim("denied")],
  },
  {
    name: "a proposal that policy permits, without a signature",
    forge: (facts) => {
      const { states: _, chain: __, ...body } = recorded(facts, "ACTION_PROPOSED", "allowed");
      const [state] = (recorded(facts, "ACTION_PROPOSED", "allowed").states ?? []) as readonly JsonObject[];
      const action = randomUUID();
      return [text(bare(unsigned({ ...body, action, chain: facts.idle.chain, states: [{ ...state, id: action }] })))];
    },
  },
  {
    name: "a grant that was voided, issued again",
    forge: (facts) => {
      const first = recorded(facts, "GRANT_ISSUED", "claimed");
      const [state] = (first.states ?? []) as readonly JsonObject[];
      return [text(bare(about(facts, "claimedTwice", first, 5, (state?.state ?? {}) as JsonObject)))];
    },
    attempts: [redeem("claimedTwice")],
  },
  {
    name: "an action that moves from PENDING to EXECUTING",
    forge: (facts) => [
      text(
        bare(
          about(facts, "pending", recorded(facts, "GRANT_REDEEMED", "executing"), 2, {
            status: "EXECUTING",
            approvals: 0,
            expiresAt: "2099-01-01T00:00:00.000000Z",
          }),
        ),
      ),
    ],
    attempts: [complete("pending")],
  },
  {
    name: "an action that expired before its deadline",
    forge: (facts) => [
      text(
        bare(
          about(facts, "pending", recorded(facts, "ACTION_EXPIRED", "expired"), 2, { status: "EXPIRED", approvals: 0 }),
        ),
      ),
    ],
    attempts: [approve("pending")],
  },
  {
    name: "a reinstatement without a signature",
    forge: (facts) => {
      const { type: _, ...body } = recorded(facts, "PRINCIPAL_SUSPENDED");
      const [state] = (body.states ?? []) as readonly JsonObject[];
      const reinstated = { ...state, version: 2, state: { ...(state?.state as JsonObject), suspended: false } };
      return [text(bare(unsigned({ ...body, type: "PRINCIPAL_REINSTATED", states: [reinstated] })))];
    },
    attempts: [approve("pending", "approver2")],
  },
  {
    name: "the role of an administrator, with the signature of another change",
    forge: (facts) => {
      const body = recorded(facts, "PRINCIPAL_ROLES_CHANGED");
      const [state] = (body.states ?? []) as readonly JsonObject[];
      const changed = { ...state, version: 2, state: { ...(state?.state as JsonObject), roles: ["admin"] } };
      return [text(bare({ ...body, states: [changed] }))];
    },
    attempts: [suspend],
  },
  {
    name: "an acknowledgement that was recorded, appended again",
    forge: (facts) => [canonicalize(recorded(facts, "LEDGER_ACKNOWLEDGED"))],
  },
  {
    name: "an acknowledgement of a state that was changed, with the signature of another",
    sql: ({ actions }) => `UPDATE oc_state SET hash = sha256(hash) WHERE id = '${actions.approved.uuid}'`,
    forge: (facts) => {
      const { note: _, ...body } = recorded(facts, "LEDGER_ACKNOWLEDGED");
      const seqs = Array.from({ length: facts.last }, (__, at) => ({ verdict: "STATE_MISMATCH", seq: String(at + 1) }));
      return [text(bare({ ...body, problems: seqs }))];
    },
    attempts: [claim("approved")],
  },
  { name: "a second LEDGER_CREATED", forge: (facts) => [text(recorded(facts, "LEDGER_CREATED"))] },
  { name: "an id that an earlier entry has", forge: (facts) => [canonicalize(unsignedRead(facts) as JsonObject)] },
  {
    name: "a body that is not canonical",
    forge: (facts) => [text(unsignedRead(facts)).replace("{", '{"z":1,').replace(',"id":', ', "id":')],
  },
  {
    name: "a body with a fraction",
    forge: (facts) => [text({ ...unsignedRead(facts), latency: 1 }).replace('"latency":1', '"latency":1.5')],
  },
  { name: "an unknown member", forge: (facts) => [text({ ...unsignedRead(facts), more: "x" })] },
  {
    name: "an unknown type with a state",
    forge: (facts) => [
      text({
        ...unsignedRead(facts),
        type: "WHATEVER",
        states: [{ kind: "MINE", id: "x", version: 1, state: { a: 1 } }],
      }),
    ],
  },
  {
    name: "somebody said to have read the ledger",
    forge: (facts) => [
      text({ ...unsignedRead(facts), actor: { groups: [], id: "mallory", kind: "HUMAN", roles: ["auditor"] } }),
    ],
    undetectable: UNSIGNED,
  },
  {
    name: "a cancellation that nobody asked for",
    forge: (facts) => [
      text(
        bare(
          about(facts, "pending", recorded(facts, "ACTION_CANCELLED", "cancelled"), 2, {
            status: "CANCELLED",
            approvals: 0,
          }),
        ),
      ),
    ],
    attempts: [approve("pending")],
    undetectable: UNSIGNED,
  },
  {
    name: "an outcome that the agent did not report",
    forge: (facts) => {
      const before = recorded(facts, "GRANT_REDEEMED", "executing");
      const [state] = (before.states ?? []) as readonly JsonObject[];
      const { expiresAt: _, ...kept } = (state?.state ?? {}) as JsonObject;
      const { result: __, ...report } = recorded(facts, "ACTION_COMPLETED", "succeeded");
      return [text(bare(about(facts, "executing", report, 5, { ...kept, status: "SUCCEEDED" })))];
    },
    attempts: [complete("executing")],
    undetectable: UNSIGNED,
  },
];

/** A body that needs neither signature nor values. */
function unsignedRead(facts: Facts): Body {
  return bare(recorded(facts, "AUDIT_READ"));
}
