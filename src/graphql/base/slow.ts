import { type DocumentNode, visit } from "graphql";

/** Fields that search, walk from entry to entry, or read the ledger page by page. */
const SLOW_FIELDS: ReadonlySet<string> = new Set([
  "auditEntries",
  "derived",
  "lineage",
  "simulatePolicy",
  "oversight",
  "sources",
  // Other fields beside it hold their snapshot while it waits for its turn.
  "verifyLedger",
]);

const known = new WeakMap<DocumentNode, boolean>();

/** Whether reading what `document` asks for can be slow, so that it waits behind others of its kind and not before a decision. */
export function isSlow(document: DocumentNode): boolean {
  let slow = known.get(document);
  if (slow === undefined) {
    slow = false;
    visit(document, {
      Field({ name }) {
        if (SLOW_FIELDS.has(name.value)) slow = true;
      },
    });
    known.set(document, slow);
  }
  return slow;
}
