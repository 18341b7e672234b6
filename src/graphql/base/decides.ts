import { type DocumentNode, getOperationAST, Kind, type SelectionSetNode } from "graphql";

/** What anybody may still do whose groups cannot be checked: it only takes something away from the caller. */
const ENDINGS: ReadonlySet<string> = new Set(["endSession"]);

/** Whether a mutation may decide something: unless all it calls are endings. Fragments that are not defined count. */
export function decides(document: DocumentNode, operationName: string | undefined): boolean {
  const operation = getOperationAST(document, operationName);
  return operation === null || operation === undefined || !onlyEnds(operation.selectionSet, document, new Set());
}

function onlyEnds({ selections }: SelectionSetNode, document: DocumentNode, seen: ReadonlySet<string>): boolean {
  return selections.every((selection) => {
    if (selection.kind === Kind.INLINE_FRAGMENT) return onlyEnds(selection.selectionSet, document, seen);
    const name = selection.name.value;
    if (selection.kind === Kind.FIELD) return ENDINGS.has(name) || name === "__typename";
    const fragment = document.definitions.find(
      (definition) => definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === name,
    );
    if (fragment?.kind !== Kind.FRAGMENT_DEFINITION || seen.has(name)) return false;
    return onlyEnds(fragment.selectionSet, document, new Set([...seen, name]));
  });
}
