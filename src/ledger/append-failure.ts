import { DatabaseError } from "pg";
import { classify } from "../db/errors.ts";
import { UnsafeRoleError } from "../db/pool.ts";
import { HEAD_LOCKED } from "./append-call.ts";
import { HeadLockedError } from "./shared-transactions.ts";

/** SQLSTATE of a right that is missing: of the server's role, whatever the draft. */
const INSUFFICIENT_PRIVILEGE = "42501";

/** A call of the database that did not return in time. It may still record its batch, until a retry has superseded it. */
export class OverdueError extends Error {
  override readonly name = "OverdueError";
}

/**
 * What a failed append says of its batch: `nothing` and `refused`, the database reported that it recorded nothing, and
 * in the second case that it will not, because of a draft or of a fault of ours; `unknown`, it may have recorded the batch.
 */
export function meaningOf(error: unknown): "nothing" | "refused" | "unknown" {
  // The first is thrown before the connection is used, the others after the database reported that it recorded nothing.
  if (error instanceof UnsafeRoleError || error instanceof HeadLockedError || isLocked(error)) return "nothing";
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

/** Whether the database gave up waiting for a lock, in practice that of the head. */
function isLocked(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === HEAD_LOCKED;
}

/**
 * Whether the database refused to record a draft of the batch because of what the draft says. A draft that is recorded
 * already is never refused like this: it is found first.
 */
export function rejectsDraft(error: unknown): boolean {
  return error instanceof DatabaseError && classify(error) === "refused" && error.code !== INSUFFICIENT_PRIVILEGE;
}
