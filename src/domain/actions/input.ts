import { validate as isUuid } from "uuid";
import { CanonicalText, canonicalize, type JsonValue, NotCanonicalError } from "../../facts/canonical.ts";
import { isStorable, nameProblem } from "../../facts/text.ts";
import { invalidInput } from "./errors.ts";

/** What is proposed, as it comes from outside. */
export interface ProposeInput {
  readonly idempotencyKey: string;
  readonly platform: string;
  readonly tool: string;
  readonly arguments: JsonValue;
  readonly userRequest?: string | undefined;
  readonly rationale?: string | undefined;
  readonly conversationId?: string | undefined;
  readonly targetRegion?: string | undefined;
  /** Id of an earlier action of the caller that this one replaces. */
  readonly supersedes?: string | undefined;
  /** Meant although an identical one waits for people. */
  readonly repeat?: boolean | undefined;
}

/** The same, checked: every value can be recorded as it is. */
export interface Proposal extends Omit<ProposeInput, "arguments"> {
  readonly arguments: CanonicalText<JsonValue>;
}

export const MAX_NAME = 200;
export const MAX_NOTE = 10_000;
export const MAX_TEXT = 100_000;
/** Bytes of the RFC 8785 form of arguments. */
export const MAX_JSON = 256 * 1024;

/** Actions that one batch may propose. */
export const MAX_ACTIONS = 100;

/** Throws ActionRefusal INVALID_INPUT for a batch of more than MAX_ACTIONS. */
export function checkCount(count: number): void {
  if (count <= MAX_ACTIONS) return;
  const message = `has ${count} actions, and at most ${MAX_ACTIONS} can be proposed together: split it into several calls`;
  throw invalidInput(["actions"], message);
}

/** Throws ActionRefusal INVALID_INPUT with the path of the first member that cannot be taken. */
export function checkProposal(input: ProposeInput): Proposal {
  if (!isUuid(input.idempotencyKey)) throw invalidInput(["idempotencyKey"], "must be a UUID");
  // No conversation and one without a name are the same.
  const conversationId = input.conversationId === "" ? undefined : input.conversationId;
  checkName(input.platform, "platform");
  checkName(input.tool, "tool");
  checkName(conversationId, "conversationId");
  checkName(input.targetRegion, "targetRegion");
  checkText(input.userRequest, "userRequest", MAX_TEXT);
  checkText(input.rationale, "rationale", MAX_TEXT);
  return {
    ...input,
    conversationId,
    supersedes: input.supersedes?.toLowerCase(),
    arguments: canonicalJson(input.arguments, "arguments"),
  };
}

export function checkName(text: string | undefined, member: string): void {
  const problem = text === undefined ? undefined : nameProblem(text, MAX_NAME);
  if (problem !== undefined) throw invalidInput([member], problem);
}

/** Checks that `text` has at most `most` UTF-16 code units and a UTF-8 form the database can hold. */
export function checkText(text: string | undefined, name: string, most: number): void {
  if (text === undefined) return;
  if (text.length > most) throw invalidInput([name], `must not be longer than ${most} characters`);
  if (!isStorable(text)) throw invalidInput([name], "must be well-formed Unicode without U+0000");
}

/** Checks that there is a note, for what needs a reason that others can read. */
export function checkReason(note: string | undefined, message: string): void {
  if (note === undefined || note.trim() === "") throw invalidInput(["note"], message);
}

/** The RFC 8785 form of `value`, made once and used for digest, commitment and payload alike. */
export function canonicalJson(value: JsonValue, name: string, most = MAX_JSON): CanonicalText<JsonValue> {
  let text: string;
  try {
    text = canonicalize(value);
  } catch (error) {
    if (error instanceof NotCanonicalError) throw invalidInput([name, ...error.path], error.message);
    throw error;
  }
  if (text.length > most || Buffer.byteLength(text) > most) {
    throw invalidInput([name], `must not be larger than ${most} bytes`);
  }
  // PostgreSQL cannot search JSON with this character, so it could be used to hide an entry from searches.
  if (text.includes("\\u0000") && /(?<!\\)(?:\\\\)*\\u0000/.test(text)) {
    throw invalidInput([name], "must not contain the character U+0000");
  }
  return new CanonicalText(text);
}
