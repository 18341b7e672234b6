import { type LedgerVerdict, RANK } from "../../src/verify/verdict.ts";

/** What a verifier checks, in words of the specification, with the verdict it gives where that is not so. */
export const CHECKS = {
  gap: ["every position from 1 to the last has an entry", "SEQUENCE_GAP"],
  fork: ["no position has two", "FORKED"],
  hash: ["the bytes hash to the stored `hash` (of such an entry nothing else is checked)", "CONTENT_MISMATCH"],
  utf8: ["the bytes are UTF-8 (nothing else)", "UNVERIFIABLE"],
  json: ["the text is JSON (nothing else)", "UNVERIFIABLE"],
  version: ["`v` is 1 (nothing else)", "UNVERIFIABLE"],
  place: ["`ledger` and `seq` are those of the place it is stored at", "LINK_BROKEN"],
  link: ["`prevHash` is the `hash` of the entry before, and 64 zeros in entry 1", "LINK_BROKEN"],
  members: ["`body` is an object, `recordedAt` a string (nothing else)", "CONTENT_MISMATCH"],
  form: [
    "the text is of section 1, RFC 8785 text, and holds nothing that section 3 says it MUST NOT",
    "CONTENT_MISMATCH",
  ],
  time: ["`recordedAt` is an instant, not before that of the entry before", "CONTENT_MISMATCH"],
  columns: ["the other columns of its row, where there are any, are what the text says", "CONTENT_MISMATCH"],
  signature: ["an entry that can permit something has a valid signature (section 6)", "BAD_SIGNATURE"],
  payload: [
    "its payload is of the form of section 5 (or else no value of it is looked at), and its values are those that were committed to",
    "CONTENT_MISMATCH",
  ],
  value: ["every commitment has a value, or an entry orders its erasure", "PAYLOAD_MISSING"],
  first: ["entry 1 is LEDGER_CREATED", "LINK_BROKEN"],
  created: ["no other entry is LEDGER_CREATED", "RULE_BROKEN"],
  id: ["no earlier entry has its `id`", "RULE_BROKEN"],
  body: [
    "the members are those of its type, with their values, and those of each state those of its kind",
    "RULE_BROKEN",
  ],
  states: ["it moves things as its type does (sections 3 and 4)", "RULE_BROKEN"],
  alone: ["conditions that are marked RULE_BROKEN", "RULE_BROKEN"],
  depends: ["what it depends on is there, has that version and has not expired (section 4)", "ILLEGAL_STEP"],
  follows: ["the version of a thing is 1 where the thing is not there, and else the one before plus 1", "ILLEGAL_STEP"],
  step: ["the step is in the table of its kind, by the type of the entry", "ILLEGAL_STEP"],
  after: ["conditions that are marked ILLEGAL_STEP (not where the step is not legal)", "ILLEGAL_STEP"],
  end: ["no known head is beyond the last entry", "ROLLED_BACK"],
  gone: ["there is an entry where there is a known head", "TRUNCATED"],
  head: ["the entry at the position of a known head has its hash", "CHECKPOINT_INCONSISTENT"],
  beyond: ["no entry is beyond `oc_ledger_head`", "FORKED"],
  before: ["neither `oc_ledger_head` nor a payload is beyond the last entry", "TRUNCATED"],
  headHash: ["`hash` of `oc_ledger_head` is that of the last entry", "LINK_BROKEN"],
} as const satisfies Readonly<Record<string, readonly [check: string, verdict: LedgerVerdict]>>;

export type CheckName = keyof typeof CHECKS;

/** Verdicts about what the format has no word on: rows of `oc_state`, and what guards the tables. */
export const OF_THE_DATABASE: readonly LedgerVerdict[] = ["STATE_MISMATCH", "UNGUARDED"];

/** The order of problems at one position. */
export const ORDER = RANK.filter((verdict) => !OF_THE_DATABASE.includes(verdict));
