import { canonicalize } from "../../../facts/canonical.ts";
import type { PolicyDocument } from "../document/schema.ts";
import type { Window } from "./window.ts";

interface Counting {
  readonly document: Pick<PolicyDocument, "measures">;
  readonly allWindows: readonly Window[];
}

/** Whether proposals are counted under a policy, and their measures recorded: a rule has a window, or the document declares measures. */
export function countsProposals({ document, allWindows }: Counting): boolean {
  return allWindows.length > 0 || document.measures !== undefined;
}

/**
 * Why entries do not say what `window` of `document` came to; undefined: they do.
 *
 * @param inForce the policy by which they were recorded; undefined: it is not known any more
 */
export function whyUnknown(
  { measure }: Window,
  document: Counting["document"],
  inForce: Counting | undefined,
): string | undefined {
  if (inForce === undefined) return "the policy that was in force then is not known any more";
  if (measure === undefined) {
    return countsProposals(inForce) ? undefined : "proposals are not counted under the policy in force";
  }
  const [own, recorded] = [document, inForce.document].map(({ measures = [] }) =>
    measures.find(({ name }) => name === measure),
  );
  if (own !== undefined && recorded !== undefined && canonicalize(own) === canonicalize(recorded)) return undefined;
  return recorded === undefined
    ? `the policy in force declares no measure ${measure}, so proposals do not record it`
    : `the policy in force declares the measure ${measure} otherwise, so proposals record something else`;
}
