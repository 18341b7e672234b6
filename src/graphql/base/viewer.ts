import { concernsOf, type Viewer, viewerFor } from "../../domain/visibility/visibility.ts";
import type { Concern } from "../../ledger/concern.ts";
import { type Context, viewerOf } from "./context.ts";

/** The caller as a reader. Asked anew each time: who is in a team can change while a subscription lasts. */
export function readerOf(context: Context): Viewer {
  return viewerFor(viewerOf(context), context.services.directory);
}

/** What the caller may read within the organization's ledger, for the database; undefined: all of it. */
export function readableBy(context: Context): readonly Concern[] | undefined {
  const concerns = concernsOf(readerOf(context));
  return concerns === "everything" ? undefined : concerns;
}
