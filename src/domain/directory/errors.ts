import { Refusal } from "../../errors.ts";

/** The codes of refused changes of the directory. Codes are API and never change; messages may. */
export const DIRECTORY_REFUSAL_CODES = [
  "INVALID_INPUT",
  "NOT_FOUND",
  "ADMINISTRATORS_ONLY",
  "HUMANS_ONLY",
  "ALREADY_EXISTS",
  "ALREADY_SUSPENDED",
  "NOT_SUSPENDED",
  "CANNOT_SUSPEND_SELF",
  "NOTHING_CHANGED",
  "LAST_ADMINISTRATOR",
  "ALREADY_REVOKED",
  "SETUP_CODE_INVALID",
  "NOT_ALLOWED",
  "ALREADY_ENDED",
  "CANNOT_DELEGATE_TO_SELF",
  "DELEGATE_SUSPENDED",
  "NOT_IN_GROUP",
  "DELEGATION_LIMIT",
] as const;
export type DirectoryRefusalCode = (typeof DIRECTORY_REFUSAL_CODES)[number];

/** An expected refusal. */
export class DirectoryRefusal extends Refusal<DirectoryRefusalCode> {}

export function refuse(code: DirectoryRefusalCode, message: string, ...path: readonly string[]): DirectoryRefusal {
  return new DirectoryRefusal(code, message, { path });
}
