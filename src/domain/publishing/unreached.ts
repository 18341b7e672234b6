import type { Reach } from "../directory/reach.ts";
import { named } from "../policy/changes/wording.ts";
import type { PolicyDocument, PolicyRule } from "../policy/document/schema.ts";

type Required = NonNullable<PolicyRule["require"]>[number];

/** Different requirements that are looked at. */
const MOST = 100;
/** Lines that are returned: they are arguments of a proposal, which have a bound. */
const MOST_LINES = 20;

/**
 * What rules of `document` require while nobody is known who could approve it, not even by escalation: actions that wait for it end undecided.
 * One line each, such as `rule writes: 1 of finance`, at most 20. Throws LedgerUnavailableError.
 */
export async function requiredOfNobody(
  { isReached }: Reach,
  organization: string,
  { rules }: Pick<PolicyDocument, "rules">,
): Promise<readonly string[]> {
  // Who will propose is not known, so nobody is excluded for having proposed.
  const requester = { id: "", kind: "AGENT", organization } as const;
  const known = new Map<string, boolean>();
  async function isKnown({ group, approver, escalate, ownerConfirms }: Required): Promise<boolean> {
    if (ownerConfirms === true) return true;
    const key = JSON.stringify([group, approver, escalate?.to]);
    let found = known.get(key);
    if (found === undefined && known.size < MOST) {
      const filters = approver && [approver];
      found =
        (await isReached(requester, { group, approver: filters })) ||
        (escalate !== undefined && (await isReached(requester, { group: escalate.to, approver: filters })));
      known.set(key, found);
    }
    return found ?? true;
  }
  const lines: string[] = [];
  for (const { id, require = [] } of rules) {
    for (const one of require) {
      if (lines.length === MOST_LINES) return lines;
      if (!(await isKnown(one))) lines.push(`rule ${id}: ${one.needed} of ${named(one.group)}`);
    }
  }
  return lines;
}
