import { ACTION_ENTRY_TYPES } from "../../domain/actions/action.ts";
import { AUDIT_READ, AUTHENTICATION_REFUSED } from "../../domain/reading-log/reading-log.ts";

const FACT_TYPES = [
  "LEDGER_CREATED",
  ...ACTION_ENTRY_TYPES,
  "SESSION_STARTED",
  "SESSION_ENDED",
  "PRINCIPAL_INVITED",
  "PRINCIPAL_UPDATED",
  "PRINCIPAL_SUSPENDED",
  "PRINCIPAL_REINSTATED",
  "PRINCIPAL_ROLES_CHANGED",
  "TOKEN_REVOKED",
  "SETUP_CODE_ISSUED",
  "SETUP_CODE_USED",
  "SETUP_CODE_REFUSED",
  AUDIT_READ,
  AUTHENTICATION_REFUSED,
];

/** For descriptions: what an entry can be. */
export const LISTED_FACT_TYPES = FACT_TYPES.join(", ");
