import { builder } from "./builder.ts";

/** Names and what they mean, as Pothos wants them. */
function described<Name extends string>(values: Readonly<Record<Name, string>>) {
  const entries = Object.entries(values).map(([name, description]) => [name, { value: name, description }]);
  return Object.fromEntries(entries) as { [K in Name]: { value: K; description: string } };
}

export const PrincipalKind = builder.enumType("PrincipalKind", {
  description: "What a principal is.",
  values: described({
    HUMAN: "A person.",
    AGENT: "Software that acts for a person, driven by a model.",
    SERVICE: "Software that acts for the organization.",
  }),
});

export const PrincipalStatus = builder.enumType("PrincipalStatus", {
  description: "Whether a principal may come in.",
  values: described({ ACTIVE: "It may.", SUSPENDED: "An administrator suspended it." }),
});

export const Confidence = builder.enumType("Confidence", {
  description: "How sure the server is of what it says about a caller's client or model, best first.",
  values: described({
    SIGNED: "A signed statement says so.",
    REGISTERED: "A registered OAuth client says so.",
    NETWORK: "It comes from a network known for it.",
    HEADER: "A mere header says so.",
    UNKNOWN: "Nothing says so.",
  }),
});

export const Effect = builder.enumType("Effect", {
  description: "What a tool does to the platform it works on, as the catalog has it.",
  values: described({ READ: "It changes nothing.", WRITE: "It changes something." }),
});

export const ActionStatus = builder.enumType("ActionStatus", {
  description: "Where a governed action stands.",
  values: described({
    ALLOWED: "Policy permits it; its grant is not spent yet.",
    PENDING: "People are asked.",
    APPROVED: "People approved it; its grant is not spent yet.",
    DENIED: "A person denied it.",
    BLOCKED: "Policy forbids it.",
    EXPIRED: "Nobody decided in time, which counts as a denial.",
    CANCELLED: "It was withdrawn.",
    EXECUTING: "Its grant is spent; the outcome is awaited.",
    SUCCEEDED: "It was carried out.",
    FAILED: "It was tried, and failed.",
    AMBIGUOUS: "No outcome was reported in time: it may or may not have happened.",
  }),
});

export const PolicyOutcome = builder.enumType("PolicyOutcome", {
  description: "What policy says of an action.",
  values: described({ PERMIT: "It may go ahead.", REQUIRE: "People must approve it.", FORBID: "It may not happen." }),
});

export const Verdict = builder.enumType("Verdict", {
  description: "One person's word on an action.",
  values: described({ APPROVE: "It may happen.", DENY: "It may not." }),
});

export const Channel = builder.enumType("Channel", {
  description: "How a decision reached the server.",
  values: described({
    API: "Through this API.",
    CONSOLE: "Through the web console.",
    SLACK: "Through Slack.",
    TEAMS: "Through Microsoft Teams.",
    WEBHOOK: "Through a webhook.",
  }),
});

export const Outcome = builder.enumType("Outcome", {
  description: "How carrying out an action ended.",
  values: described({ SUCCEEDED: "It was carried out as intended.", FAILED: "It was not carried out as intended." }),
});

export const LedgerVerdict = builder.enumType("LedgerVerdict", {
  description: "What a verification found.",
  values: described({
    INTACT: "Everything asked for was re-hashed from stored bytes and found right.",
    EMPTY: "There was nothing to check, which proves nothing.",
    CONTENT_MISMATCH: "Stored bytes, their hash, a search column or an erasable value disagree.",
    LINK_BROKEN: "An entry does not name its predecessor's hash.",
    SEQUENCE_GAP: "A position has no entry.",
    FORKED: "A position has two entries, or two entries name one predecessor.",
    RULE_BROKEN: "An entry is hashed and linked, and says what none may say at its position.",
    TRUNCATED: "Entries at the end are gone.",
    ROLLED_BACK: "The ledger ends before a head that was seen.",
    CHECKPOINT_INCONSISTENT: "The ledger is not the one a checkpoint, or a head kept elsewhere, was taken of.",
    BAD_SIGNATURE: "A signature does not verify.",
    PREMATURE_DELETION: "Entries were removed before their time.",
    UNGUARDED: "What keeps the tables append-only was weakened or removed.",
    UNVERIFIABLE: "It could not be checked.",
  }),
});

export const EdgeKind = builder.enumType("EdgeKind", {
  description:
    "OBSERVED: the same content was seen in both places. POSSIBLE: one merely came after the other. One is never presented as the other.",
  values: described({
    OBSERVED: "Values read in one place were seen again in what was written to the other.",
    POSSIBLE: "The same principal read in the one place before writing to the other.",
  }),
});

export const LineageDirection = builder.enumType("LineageDirection", {
  description: "Which way to walk from a chain.",
  values: described({
    UPSTREAM: "Towards where its data came from.",
    DOWNSTREAM: "Towards where its data went.",
    BOTH: "Both ways.",
  }),
});

export const PendingApprovalChange = builder.enumType("PendingApprovalChange", {
  description: "What happened to the list of actions that wait for people.",
  values: described({
    ADDED: "An action began to wait.",
    UPDATED: "An action that waits has changed.",
    REMOVED: "An action no longer waits, or no longer for you.",
    HEARTBEAT: "Nothing happened for a while. Shows that the connection is alive.",
  }),
});
