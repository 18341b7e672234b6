import { Refusal } from "../../errors.ts";

/** Why a session was neither started nor ended. Each code is API: messages may change, codes may not. */
export const SESSION_REFUSAL_CODES = ["INVALID_INPUT", "NOT_FOUND", "ALREADY_ENDED"] as const;
export type SessionRefusalCode = (typeof SESSION_REFUSAL_CODES)[number];

/** An expected no. */
export class SessionRefusal extends Refusal<SessionRefusalCode> {}
