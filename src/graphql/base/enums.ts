import { builder } from "./builder.ts";

/** Names and what they mean, as Pothos wants them. */
function described<Name extends string>(values: Readonly<Record<Name, string>>) {
  const entries = Object.entries(values).map(([name, description]) => [name, { value: name, description }]);
  return Object.fromEntries(entries) as { [K in Name]: { value: K; description: string } };
}

export const PrincipalKind = builder.enumType("PrincipalKind", {
  description: "The kind of a principal.",
  values: described({
    HUMAN: "A person.",
    AGENT: "Software driven by a model that acts for a person.",
    SERVICE: "Software that acts for the organization.",
  }),
});

export const PrincipalStatus = builder.enumType("PrincipalStatus", {
  description: "Whether calls of a principal are accepted.",
  values: described({
    ACTIVE: "Its calls are accepted.",
    SUSPENDED: "An administrator suspended it: its calls are refused.",
  }),
});

export const Confidence = builder.enumType("Confidence", {
  description:
    "What the identification of a client or model is based on. From strongest to weakest: SIGNED, REGISTERED, NETWORK, HEADER, UNKNOWN.",
  values: described({
    SIGNED: "A statement signed with a known key.",
    REGISTERED: "The OAuth client registered with the identity provider.",
    NETWORK: "The address belongs to a network that the client's vendor publishes.",
    HEADER: "A header, which any client could send.",
    UNKNOWN: "Nothing: it is not known.",
  }),
});

export const Effect = builder.enumType("Effect", {
  description: "Whether a tool changes data on its platform, according to the catalog.",
  values: described({ READ: "It only reads.", WRITE: "It changes data, or may." }),
});

export const ActionStatus = builder.enumType("ActionStatus", {
  description: "The status of an action.",
  values: described({
    ALLOWED: "The policy permits it; its grant has not been redeemed.",
    PENDING: "It needs approvals.",
    APPROVED: "People approved it; its grant has not been redeemed.",
    DENIED: "A person denied it.",
    BLOCKED: "The policy forbids it.",
    EXPIRED: "Nobody decided before the deadline, which counts as a denial.",
    CANCELLED: "It was cancelled before a decision.",
    EXECUTING: "Its grant was redeemed; its outcome has not been reported.",
    SUCCEEDED: "It was carried out successfully.",
    FAILED: "It was attempted and failed.",
    AMBIGUOUS: "No outcome was reported before the deadline: it may or may not have been carried out.",
  }),
});

export const PolicyOutcome = builder.enumType("PolicyOutcome", {
  description: "The outcome of a policy evaluation.",
  values: described({
    PERMIT: "The action is permitted without an approval.",
    REQUIRE: "The action requires approvals by people.",
    FORBID: "The action is forbidden.",
  }),
});

export const Verdict = builder.enumType("Verdict", {
  description: "A person's decision on an action.",
  values: described({ APPROVE: "The action is approved.", DENY: "The action is denied." }),
});

export const ApproverIdentity = builder.enumType("ApproverIdentity", {
  description: "What is known of who approved.",
  values: described({
    DIFFERENT: "They are another person.",
    UNKNOWN:
      "They may be one of those: no verified address is known of one of the two. One more person has to approve.",
  }),
});

export const Channel = builder.enumType("Channel", {
  description: "A way by which people are told of actions, or decide on them.",
  values: described({
    API: "This API.",
    CONSOLE: "The web console.",
    SLACK: "Slack.",
    TEAMS: "Microsoft Teams.",
    EMAIL: "E-mail, by which nobody decides.",
    WEBHOOK: "A webhook.",
  }),
});

export const Assurance = builder.enumType("Assurance", {
  description: "How sure it is that a person themselves decided. From weakest to strongest: CHAT, SESSION, MFA, KEY.",
  values: described({
    CHAT: "They clicked in a chat, where an integration knows them.",
    SESSION: "They called with a token or a browser session.",
    MFA: "They had signed in with several factors, as their identity provider says.",
    KEY: "They had signed in with a hardware key or a smart card, and were there, as their identity provider says.",
  }),
});

export const Outcome = builder.enumType("Outcome", {
  description: "The outcome of an executed action.",
  values: described({ SUCCEEDED: "It was carried out as intended.", FAILED: "It was not carried out as intended." }),
});

export const LedgerVerdict = builder.enumType("LedgerVerdict", {
  description: "The result of a verification.",
  values: described({
    INTACT: "All entries of the range were re-hashed from their stored bytes, and no fault was found.",
    EMPTY: "There were no entries to check.",
    CONTENT_MISMATCH: "The stored text, its hash, a search column or an erasable value disagree.",
    LINK_BROKEN: "`prevHash` of an entry is not the hash of its predecessor.",
    SEQUENCE_GAP: "A position has no entry.",
    FORKED: "Two entries have the same position or the same predecessor.",
    RULE_BROKEN:
      "An entry is correctly hashed and linked, but is not what its type permits: a wrong member, or an id that another entry has.",
    ILLEGAL_STEP:
      "An entry is correctly hashed and linked, but may not follow what is recorded before it: a step that is not legal, a deadline, approvals that are not enough, a grant that was not issued.",
    PAYLOAD_MISSING: "An erasable value is not stored, and no entry ordered its erasure.",
    STATE_MISMATCH: "A row that caches a current state is not what the entries say.",
    TRUNCATED: "Entries at the end are missing.",
    ROLLED_BACK: "The ledger ends before a head that was seen earlier.",
    CHECKPOINT_INCONSISTENT: "The ledger contradicts a checkpoint, or a head that is kept outside the database.",
    BAD_SIGNATURE: "An entry that can permit something was not signed by a server of this installation.",
    PREMATURE_DELETION: "Entries were removed before the end of their retention.",
    UNGUARDED: "A trigger, constraint or privilege that keeps the tables append-only was weakened or removed.",
    UNVERIFIABLE: "It could not be checked.",
  }),
});

export const LedgerCondition = builder.enumType("LedgerCondition", {
  description: "Whether something is wrong with a ledger, as far as the server knows.",
  values: described({
    OK: "Nothing was found, or what was found is acknowledged.",
    SUSPECT: "A problem was found, or something cannot be known; entries are recorded.",
    STOPPED: "A problem was found, and nothing is recorded until an administrator acknowledges it.",
  }),
});

export const EdgeKind = builder.enumType("EdgeKind", {
  description: "What an edge between two chains is based on.",
  values: described({
    OBSERVED: "Values that were read in the source chain reappeared in what was written.",
    POSSIBLE:
      "The same principal read in the source chain before it wrote: based on the order in time, whatever was read.",
  }),
});

export const LineageDirection = builder.enumType("LineageDirection", {
  description: "The direction to follow edges in.",
  values: described({
    UPSTREAM: "To the chains its data may have come from.",
    DOWNSTREAM: "To the chains its data may have gone to.",
    BOTH: "Both directions.",
  }),
});

export const PendingApprovalChange = builder.enumType("PendingApprovalChange", {
  description: "How the list of pending actions changed.",
  values: described({
    ADDED: "An action became pending.",
    UPDATED: "A pending action changed.",
    REMOVED: "An action is no longer pending; with `onlyDecidable` also: you can no longer decide it.",
    HEARTBEAT: "Nothing changed for a while; the connection is alive.",
  }),
});
