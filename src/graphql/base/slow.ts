import { type ASTNode, type DocumentNode, Kind, visit } from "graphql";

/**
 * Fields that search, walk from entry to entry, or read the ledger page by page; and fields that wait for a turn, or for a thread: what is
 * beside them holds its snapshot meanwhile.
 */
const SLOW_FIELDS: ReadonlySet<string> = new Set([
  "auditEntries",
  "derived",
  "explainPolicy",
  "impact",
  "lineage",
  "lineageEdges",
  "oversight",
  "policyVersions",
  "provenance",
  "simulatePolicy",
  "sourceEntries",
  "sources",
  "verifyLedger",
]);
/** The same of `Query`. Other types have fields of these names that are not: everybody who decides reads `Action.policy`. */
const SLOW_ROOT_FIELDS: ReadonlySet<string> = new Set(["policy"]);

const known = new WeakMap<DocumentNode, boolean>();

/** Whether reading what `document` asks for can be slow, so that it waits behind others of its kind and not before a decision. */
export function isSlow(document: DocumentNode): boolean {
  let slow = known.get(document);
  if (slow === undefined) {
    slow = false;
    visit(document, {
      Field({ name }, _key, _parent, _path, ancestors) {
        if (SLOW_FIELDS.has(name.value) || (SLOW_ROOT_FIELDS.has(name.value) && isOfQuery(ancestors))) slow = true;
      },
    });
    known.set(document, slow);
  }
  return slow;
}

/** Whether a field below `ancestors` is one of the query itself, or of a fragment on it. */
function isOfQuery(ancestors: readonly (ASTNode | readonly ASTNode[])[]): boolean {
  return ancestors.every((above) => {
    if (!("kind" in above) || above.kind === Kind.INLINE_FRAGMENT) return true;
    return above.kind === Kind.FRAGMENT_DEFINITION
      ? above.typeCondition.name.value === "Query"
      : above.kind !== Kind.FIELD;
  });
}
