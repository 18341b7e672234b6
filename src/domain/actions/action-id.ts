import { canonicalize } from "../../facts/canonical.ts";
import { uuidOf } from "../../facts/hash.ts";
import type { Principal } from "../identity/principal.ts";
import { ActionRefusal } from "./errors.ts";

/**
 * The id of the action that `idempotencyKey` names: of this account, acting for this person. Repeating a
 * proposal therefore meets the action it made, and the primary key alone keeps it from being made twice.
 */
export function actionIdOf({ organization, id, onBehalfOf }: Principal, idempotencyKey: string): string {
  return uuidOf(
    canonicalize(["countersign/action/v1", organization, id, onBehalfOf?.id ?? null, idempotencyKey.toLowerCase()]),
  );
}

/** For a key that names another proposal already. */
export function keyReused(): ActionRefusal {
  const message = "this idempotency key was used for another proposal; use a fresh one";
  return new ActionRefusal("IDEMPOTENCY_KEY_REUSED", message, { path: ["idempotencyKey"] });
}
