import { scopesOf, type Viewer, viewerFor } from "../../domain/visibility/visibility.ts";
import type { ReadScope } from "../../ledger/read-scope.ts";
import { type Context, viewerOf } from "./context.ts";

/** The caller as a viewer. Computed at each call: team members can change while a subscription is open. */
export function readerOf(context: Context): Viewer {
  return viewerFor(viewerOf(context), context.services.directory);
}

/** The scopes of the ledger that the caller may read; undefined: all of it. */
export function readableBy(context: Context): readonly ReadScope[] | undefined {
  const scopes = scopesOf(readerOf(context), context.ledger);
  return scopes === "everything" ? undefined : scopes;
}
