/** Verification of a ledger: the interface of `verify/`. */

export type { LedgerProblem, LedgerVerdict } from "../verify/verdict.ts";
export { loadGuardExceptions } from "./guards/exceptions.ts";
export { type GuardProblem, type GuardReport, guardReport } from "./guards.ts";
export { standingHeads } from "./verify/end.ts";
export { type HeadOptions, headOptions } from "./verify/known-heads.ts";
export { DEFAULT_WORKERS, MAX_PROBLEMS, RANGE_SIZE } from "./verify/limits.ts";
export { type LedgerVerification, VerificationRangeError } from "./verify/verification.ts";
export { type VerifyOptions, verifyLedger } from "./verify/verify.ts";
