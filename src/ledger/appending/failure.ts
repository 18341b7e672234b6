import { DatabaseError } from "pg";
import { classify } from "../../db/errors.ts";
import { UnsafeRoleError } from "../../db/pool.ts";
import { OverdueError } from "../within.ts";
import { HEAD_LOCKED } from "./call.ts";
import { HeadLockedError } from "./shared-transactions.ts";

/** SQLSTATE of a right that is missing: of the server's role, whatever the draft. */
const INSUFFICIENT_PRIVILEGE = "42501";

/**
 * What a failed append says of its batch: `nothing`, `locked`, `corrupt` and `refused`, the database reported that it recorded
 * nothing: in the second case because the head stayed locked, in the third because the head is missing or wrong, and in the
 * fourth because of a draft or of a fault of ours; `unknown`, it may have recorded the batch.
 */
export function meaningOf(error: unknown): "nothing" | "locked" | "corrupt" | "refused" | "unknown" {
  // Thrown before the connection is used.
  if (error instanceof UnsafeRoleError) return "nothing";
  if (error instanceof HeadLockedError || isLocked(error)) return "locked";
  if (isCorrupt(error)) return "corrupt";
  if (error instanceof OverdueError) return "unknown";
  switch (classify(error, { committing: true })) {
    case "unknown-commit":
    case "conflict":
      return "unknown";
    case "refused":
    case "bug":
      // An error that the database did not report came after it had returned, perhaps from a commit.
      return error instanceof DatabaseError ? "refused" : "unknown";
    default:
      return "nothing";
  }
}

/** The head is missing, or does not fit the entries: they take its next position, or a month that it would begin. */
const CORRUPT: ReadonlySet<string | undefined> = new Set(["OC001", "OC409", "23505"]);

/** Whether what is in the ledger, not the draft, keeps the database from recording it. Nothing of a draft has to be unique. */
export function isCorrupt(error: unknown): boolean {
  return error instanceof DatabaseError && CORRUPT.has(error.code);
}

/** Whether the database gave up waiting for a lock, in practice that of the head. */
function isLocked(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === HEAD_LOCKED;
}

/**
 * Whether the database refused to record a draft of the batch because of what the draft says. A draft that is recorded
 * already is never refused like this: it is found first.
 */
export function rejectsDraft(error: unknown): boolean {
  return (
    error instanceof DatabaseError &&
    classify(error) === "refused" &&
    !isCorrupt(error) &&
    error.code !== INSUFFICIENT_PRIVILEGE
  );
}
