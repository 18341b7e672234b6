import { ASSURANCES } from "../assurance.ts";
import { defineFact, defineState, made, type Step, steps } from "../definition.ts";
import type { AnyJson } from "../envelope.ts";
import {
  always,
  anyObject,
  code,
  count,
  decimals,
  erasable,
  hash,
  hex,
  instant,
  list,
  object,
  positive,
  text,
  uuid,
} from "../schema.ts";
import { CHAIN_STEPS, READ_FINGERPRINTS, WRITE_LINEAGE } from "./lineage.ts";
import { PUBLICATION_MODES } from "./policy.ts";

/** Governed actions: what agents want to do, who decided, and what became of it. */

export const ACTION_STATUSES = [
  "ALLOWED",
  "PENDING",
  "APPROVED",
  "DENIED",
  "BLOCKED",
  "EXPIRED",
  "CANCELLED",
  "EXECUTING",
  "SUCCEEDED",
  "FAILED",
  "AMBIGUOUS",
] as const;
export type ActionStatus = (typeof ACTION_STATUSES)[number];
export const EFFECTS = ["READ", "WRITE"] as const;
export const POLICY_OUTCOMES = ["PERMIT", "REQUIRE", "FORBID"] as const;
export const VERDICTS = ["APPROVE", "DENY"] as const;
export const CHANNELS = ["API", "CONSOLE", "SLACK", "TEAMS", "WEBHOOK"] as const;
export const OUTCOMES = ["SUCCEEDED", "FAILED"] as const;
/** What is recorded of who approved, where it matters. */
export const IDENTITIES = ["UNKNOWN"] as const;
/** Why the server voids an approval. */
export const REVOCATION_REASONS = ["APPROVER_SUSPENDED"] as const;
/** Why an attempt to decide is refused, and one to collect or spend a grant. A caller is refused with the same codes. */
export const DECISION_REFUSALS = [
  "AGENT_CANNOT_DECIDE",
  "REQUESTER_CANNOT_DECIDE",
  "DELEGATOR_CANNOT_DECIDE",
  "NOT_ELIGIBLE",
  "NOT_PENDING",
  "EXPIRED",
  "ALREADY_VOTED",
  "DELEGATOR_ALREADY_VOTED",
  "ASSURANCE_TOO_LOW",
  "NOTE_REQUIRED",
  "CONTENT_MISSING",
  "DIGEST_MISMATCH",
  "POLICY_CHANGED",
] as const;
export type DecisionRefusal = (typeof DECISION_REFUSALS)[number];
export const GRANT_REFUSALS = [
  "GRANT_INVALID",
  "GRANT_FOREIGN",
  "GRANT_VOID",
  "GRANT_SPENT",
  "GRANT_EXPIRED",
  "CONTENT_MISSING",
  "DIGEST_MISMATCH",
  "POLICY_CHANGED",
] as const;
export type GrantRefusal = (typeof GRANT_REFUSALS)[number];

export const ACTION = defineState("ACTION", {
  description: "a governed action; its `actor` and `onBehalfOf` are those of the proposal",
  id: "the action's UUID, which `action` names too",
  namedBy: { path: "action" },
  state: object(
    {
      status: code(ACTION_STATUSES, "where it stands"),
      approvals: count("approvals so far"),
      expiresAt: instant(
        "PENDING: when people must have decided. EXECUTING: when the outcome must be reported",
      ).optional(),
      startedAt: instant("when its grant was redeemed, by the clock of the database").optional(),
      grant: object(
        {
          id: uuid("of the latest grant that was issued, if one was").optional(),
          hash: hex("SHA-256 of its token, which is recorded nowhere").optional(),
          expiresAt: instant("until when the action may be started"),
        },
        "its grant, once it may be started",
      ).optional(),
    },
    "the action from this entry on",
  ),
  conditions: {
    needs: {
      ALLOWED: ["grant.id", "grant.hash", "grant.expiresAt"],
      PENDING: ["expiresAt"],
      APPROVED: ["grant.expiresAt"],
      EXECUTING: ["expiresAt", "startedAt", "grant.id", "grant.hash", "grant.expiresAt"],
    },
    // So that no state has a deadline of another status.
    lacks: {
      ALLOWED: ["expiresAt", "startedAt"],
      PENDING: ["grant", "startedAt"],
      APPROVED: ["expiresAt", "startedAt"],
      DENIED: ["expiresAt", "startedAt"],
      BLOCKED: ["expiresAt", "grant", "startedAt"],
      EXPIRED: ["expiresAt", "startedAt"],
      CANCELLED: ["expiresAt", "startedAt"],
      SUCCEEDED: ["expiresAt"],
      FAILED: ["expiresAt"],
      AMBIGUOUS: ["expiresAt"],
    },
    deadline: ["expiresAt", "grant.expiresAt"],
    dependedOn: {
      names: { status: "status" },
      repeats: {
        "publication.mode": "publishes.mode",
        "publication.version": "publishes.version",
        "publication.hash": "publishes.hash",
        "publication.document": "publishes.document",
      },
    },
    quorum: {
      status: "APPROVED",
      by: "ACTION_APPROVED",
      requirements: "policy.requirements",
      unknown: "identity",
      decision: "decision",
    },
  },
});

/** What the proposal fixed; every later entry repeats it, so that each can be searched for by itself. */
const terms = {
  action: uuid("the action it is about"),
  platform: text("where the tool is"),
  tool: text("the tool"),
  effect: code(EFFECTS, "what the tool does, by the catalog"),
  region: text("the platform's region"),
  chain: uuid("the routing chain the step belongs to"),
  sourceChain: uuid("the chain a write may have drawn its data from").optional(),
  digest: hash("what an approval binds: SHA-256 of the action's digest document"),
};
export const laterTerms = { ...terms, policyHash: hash("of the policy the proposal was evaluated by") };

const policy = object(
  {
    hash: hash("of the policy document"),
    version: count("its version"),
    outcome: code(POLICY_OUTCOMES, "what follows"),
    rules: list(
      object(
        {
          ruleId: text("its id"),
          outcome: code(POLICY_OUTCOMES, "what it says"),
          because: anyObject("the values it looked at, without those of arguments"),
          reason: text("why, for people").optional(),
          failed: always(true, "its condition could not be evaluated, so its strictest reading counts").optional(),
        },
        "a rule that matched",
      ),
      "the rules that matched, the strictest first",
    ),
    requirements: list(
      object(
        {
          id: text("its id"),
          group: text("whose members are asked"),
          role: always(true, "`group` is a role: those who have it are asked").optional(),
          needed: positive("how many of them must approve"),
          assurance: code(ASSURANCES, "how sure an approval has to be").optional(),
          note: always(true, "an approval has to have a note").optional(),
          approver: list(
            object(
              {
                roles: list(text(""), "an approver has one of these roles").optional(),
                regions: list(text(""), "an approver is in one of these regions").optional(),
              },
              "what holds for an approver",
            ),
            "what holds for an approver: all of these",
          ).optional(),
          ownerConfirms: always(
            true,
            "the person for whom an agent proposed may approve, whatever groups they are in",
          ).optional(),
          ttl: positive("for how many seconds they could decide at most").optional(),
          escalation: object(
            {
              at: instant("from when on members of the other group may approve as well"),
              group: text("the other group"),
            },
            "what happens when they do not decide",
          ).optional(),
          unreached: always(true, "nobody was known who could approve when it was proposed").optional(),
          requesterAfter: instant(
            "when whoever asked for it may approve as well, by the clock of the database; of what nobody else could approve",
          ).optional(),
        },
        "a requirement",
      ),
      "who must approve",
    ),
  },
  "how the policy evaluated the proposal",
);

const note = erasable<string>("in their own words").optional();
const delegatedBy = object(
  {
    id: text("of the person whose right it is"),
    group: text("as a member of which group"),
    delegation: uuid("by which it is lent"),
  },
  "whose right to approve the actor used, where it is not their own",
).optional();
const decision = object(
  {
    verdict: code(VERDICTS, "yes or no"),
    channel: code(CHANNELS, "how it came in"),
    assurance: code(
      ASSURANCES,
      "how sure it is that the actor decided it: by a click in a chat, signed in, signed in with several factors, or with a key in hardware; SESSION where it is missing",
    ).optional(),
    region: text("where the actor is, by their token; where a requirement asks for it").optional(),
    asOf: instant("by which instant it was judged, of the database's clock; where a requirement escalates").optional(),
    firstShownAt: instant(
      "when the server first sent the actor what the action would do, before this decision, where that is known",
    ).optional(),
    firstShownBy: code(CHANNELS, "by which channel").optional(),
    submittedBy: object(
      { id: text("its id"), kind: code(["SERVICE"], "what it is") },
      "the integration that passed the decision on, which is nobody who decides; none where the actor called with a token or browser session of their own",
    ).optional(),
    note,
    delegatedBy,
  },
  "what was decided",
);
const grant = object(
  { id: uuid("of the grant"), voids: uuid("of the grant it takes the place of").optional() },
  "the grant",
);
const refused = object(
  {
    from: instant("when their minute began"),
    to: instant("when their minute was over"),
    times: positive("how often"),
  },
  "of the entry at the end of a minute: the same attempts after the first, which has an entry of its own",
).optional();
const conversation = text("the caller's name for the conversation").optional();
const kept = (status: string): Step => [status, status];
export const repeats = {
  ...Object.fromEntries(Object.keys(terms).map((name) => [name, name])),
  policyHash: "policy.hash",
};

export const ACTIONS = {
  states: [ACTION],
  facts: [
    defineFact("ACTION_PROPOSED", {
      description: "an agent wants to act; policy allowed it, blocked it or asks for approval",
      members: {
        ...terms,
        conversation,
        targetRegion: text("the region data would go to").optional(),
        home: object(
          { ledger: text("the home ledger"), seq: text("its position up to which the directory was known") },
          "of a ledger outside the home region of the organization: as of when it was known who its people are",
        ).optional(),
        policy,
        shadow: object(
          {
            version: positive("its number"),
            hash: hash("of its document"),
            outcome: code(POLICY_OUTCOMES, "what would follow"),
            rules: list(text("an id"), "of the rules that match, the strictest first"),
          },
          "what the policy that is evaluated beside the one in force says, where it would lead to something else",
        ).optional(),
        measures: decimals(
          "what the measures of the policy are for the arguments, where the policy has measures or windows and does not forbid it",
        ).optional(),
        windows: decimals(
          "what the windows that the policy depended on came to before the proposal, by how conditions write them",
        ).optional(),
        reads: object(
          {
            known: list(
              object(
                {
                  platform: text("where it was read"),
                  region: text("where that platform keeps its data"),
                  ledger: text("where the read is recorded"),
                  seq: text(
                    "position of its proposal there; missing where that was recorded together with this one",
                  ).optional(),
                  hash: hex("hash of that entry").optional(),
                },
                "a read",
              ),
              "the latest read of the caller on each other platform, and nothing of what was read",
            ),
            unread: list(
              text("a region"),
              "regions that could not be asked, which count as if each of their platforms had been read",
            ),
          },
          "what the caller may have drawn from, where the policy depends on it",
        ).optional(),
        lineage: WRITE_LINEAGE.optional(),
        evidence: erasable<AnyJson>("which values of the arguments each observed read has").optional(),
        arguments: erasable<AnyJson>("what the tool is to be called with"),
        rendered: erasable<string>("the text that approvers are shown"),
        userRequest: erasable<string>("what the person asked for").optional(),
        rationale: erasable<string>("why the agent wants it").optional(),
        supersedes: uuid("the action this one takes the place of").optional(),
        publishes: object(
          {
            mode: code(PUBLICATION_MODES, "ACTIVE: to be in force. SHADOW: to be evaluated beside the one in force"),
            version: positive("the number it would have"),
            base: positive("the latest version that there was"),
            hash: hash("of the RFC 8785 form of the value that the document has"),
            document: text("as it was sent, in YAML or JSON"),
          },
          "the policy document that the server puts in force once this is approved; of `publish_policy` on platform `countersign`",
        ).optional(),
        repeats: uuid("an action of the same caller with the same tool and arguments that was denied").optional(),
        grant: grant.optional(),
      },
      moves: { ACTION: made("ALLOWED", "PENDING", "BLOCKED") },
      mayMove: { CHAIN: CHAIN_STEPS },
      permits: true,
      conditions: {
        leadsTo: { member: "policy.outcome", status: { PERMIT: "ALLOWED", REQUIRE: "PENDING", FORBID: "BLOCKED" } },
        sets: { approvals: 0 },
        records: { "grant.id": "grant.id" },
      },
    }),
    defineFact("ACTION_APPROVED", {
      description: "one person approved; the action stays PENDING until enough have",
      members: {
        ...laterTerms,
        decision,
        policyRecord: count(
          "of an action that publishes a policy: the version of `POLICY` that stands, 0 where there is none",
        ).optional(),
        identity: code(
          IDENTITIES,
          "that it is not known whether the actor is another person than those who asked for it, and than those who approved before",
        ).optional(),
      },
      moves: { ACTION: steps(["PENDING"], ["PENDING", "APPROVED"]) },
      permits: true,
      conditions: {
        by: ["APPROVER"],
        has: { "decision.verdict": "APPROVE" },
        // A grant is issued by an entry of its own.
        lacks: ["grant.id", "grant.hash"],
        counts: "approvals",
        repeats,
        deadline: "KEPT",
      },
    }),
    defineFact("ACTION_DENIED", {
      description: "one person denied, also what others approved, before it was started",
      members: { ...laterTerms, decision },
      moves: { ACTION: steps(["PENDING", "APPROVED"], ["DENIED"]) },
      permits: true,
      conditions: {
        by: ["APPROVER"],
        has: { "decision.verdict": "DENY" },
        keeps: ["approvals"],
        repeats,
        deadline: "KEPT",
      },
    }),
    defineFact("APPROVAL_REVOKED", {
      description: "an approval was taken back, or is void, before the action was started",
      members: {
        ...laterTerms,
        reason: code(REVOCATION_REASONS, "why, where nobody said it").optional(),
        approver: text("id of the approver, where the server found out").optional(),
        note,
      },
      moves: { ACTION: steps(["APPROVED"], ["DENIED"]) },
      permits: true,
      conditions: { by: ["HUMAN", "SYSTEM"], keeps: ["approvals"], repeats, deadline: "KEPT" },
    }),
    defineFact("ACTION_CANCELLED", {
      description: "withdrawn before it was started",
      members: {
        ...laterTerms,
        reason: code(["SUPERSEDED"], "why, where nobody said it").optional(),
        supersededBy: uuid("the action that takes its place").optional(),
        note,
      },
      moves: { ACTION: steps(["PENDING", "ALLOWED", "APPROVED"], ["CANCELLED"]) },
      conditions: { by: ["MAKER", "HUMAN"], keeps: ["approvals"], repeats, deadline: "KEPT" },
    }),
    defineFact("ACTION_EXPIRED", {
      description: "not decided, or not started, in time",
      members: { ...laterTerms, reason: code(["EXPIRED"], "why") },
      moves: { ACTION: steps(["PENDING", "ALLOWED", "APPROVED"], ["EXPIRED"]) },
      conditions: { by: ["SYSTEM"], keeps: ["approvals"], repeats, deadline: "PASSED" },
    }),
    defineFact("GRANT_ISSUED", {
      description: "the agent collected its grant; an earlier one is void",
      members: { ...laterTerms, grant },
      moves: { ACTION: [kept("ALLOWED"), kept("APPROVED")] },
      permits: true,
      conditions: {
        by: ["MAKER"],
        records: { "grant.id": "grant.id" },
        names: { "grant.voids": "grant.id" },
        keeps: ["approvals", "grant.expiresAt"],
        repeats,
        deadline: "KEPT",
      },
    }),
    defineFact("GRANT_REDEEMED", {
      description: "the grant was spent; execution begins",
      members: { ...laterTerms, grant },
      moves: { ACTION: steps(["ALLOWED", "APPROVED"], ["EXECUTING"]) },
      conditions: {
        by: ["MAKER"],
        names: { "grant.id": "grant.id" },
        keeps: ["approvals", "grant"],
        repeats,
        deadline: "KEPT",
      },
    }),
    defineFact("ACTION_CARRIED_OUT", {
      description: "the server did what was approved, in the transaction that approved it",
      members: { ...laterTerms },
      moves: { ACTION: steps(["APPROVED"], ["SUCCEEDED"]) },
      permits: true,
      conditions: { by: ["SYSTEM"], keeps: ["approvals", "grant"], lacks: ["startedAt"], repeats, deadline: "KEPT" },
    }),
    defineFact("EXECUTION_EXTENDED", {
      description: "the agent needs longer to carry it out",
      members: { ...laterTerms },
      moves: { ACTION: [kept("EXECUTING")] },
      conditions: { by: ["MAKER"], keeps: ["approvals", "grant", "startedAt"], repeats, deadline: "KEPT" },
    }),
    defineFact("ACTION_COMPLETED", {
      description: "the agent reported the outcome, or an administrator says what nobody reported",
      members: {
        ...laterTerms,
        outcome: code(OUTCOMES, "what came of it"),
        result: erasable<AnyJson>("what the tool returned").optional(),
        fingerprints: READ_FINGERPRINTS.optional(),
        error: erasable<string>("why it failed").optional(),
        note,
        late: always(true, "the deadline to report it had passed").optional(),
        latencyMs: count("milliseconds from redemption to this report"),
      },
      moves: { ACTION: steps(["EXECUTING", "AMBIGUOUS"], ["SUCCEEDED", "FAILED"]) },
      conditions: {
        by: ["MAKER", { author: "ADMINISTRATOR", from: "AMBIGUOUS" }],
        leadsTo: { member: "outcome", status: { SUCCEEDED: "SUCCEEDED", FAILED: "FAILED" } },
        keeps: ["approvals", "grant", "startedAt"],
        repeats,
      },
    }),
    defineFact("ACTION_AMBIGUOUS", {
      description: "the outcome was not reported in time",
      members: { ...laterTerms, reason: code(["OUTCOME_NEVER_TOLD"], "why") },
      moves: { ACTION: steps(["EXECUTING"], ["AMBIGUOUS"]) },
      conditions: { by: ["SYSTEM"], keeps: ["approvals", "grant", "startedAt"], repeats, deadline: "PASSED" },
    }),
    defineFact("DECISION_REFUSED", {
      description: "somebody tried to decide and was refused",
      members: { ...laterTerms, decision, reason: code(DECISION_REFUSALS, "why"), refused },
    }),
    defineFact("GRANT_REFUSED", {
      description:
        "somebody tried to spend or collect a grant and was refused; without an action where they named none",
      members: { grant: grant.optional(), reason: code(GRANT_REFUSALS, "why"), refused },
      together: laterTerms,
    }),
  ],
} as const;
