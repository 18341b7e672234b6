import { brandWithType } from "@pothos/core";
import { builder } from "./builder.ts";
import type { Context } from "./context.ts";
import { decodeNodeId, splitKey } from "./node-id.ts";

type ReadNode = (context: Context, nodeId: string, key: string) => Promise<object | null>;

const readers = new Map<string, ReadNode>();

/**
 * Lets `node` find nodes of the type `typename`.
 *
 * @param read the node of an id whose ledger is the caller's, if the caller may see it; `key` is what the id has behind it
 */
export function addNode(typename: string, read: ReadNode): void {
  readers.set(typename, read);
}

/** What `nodeId` names, if the caller may see it; null for everything else, whatever the reason. */
async function readNode(context: Context, nodeId: string): Promise<object | null> {
  const { typename, id } = decodeNodeId(nodeId);
  const { ledger, key } = splitKey(id);
  if (ledger !== context.ledger) return null;
  const node = await readers.get(typename)?.(context, nodeId, key);
  if (node === undefined || node === null) return null;
  brandWithType(node, typename as Parameters<typeof brandWithType>[1]);
  return node;
}

builder.queryField("node", (t) =>
  t.field({
    type: builder.nodeInterfaceRef(),
    nullable: true,
    description: "The object with this id; null when there is none that you may see.",
    authScopes: { signedIn: true },
    args: {
      id: t.arg.id({ required: true, description: "The id of an action, an entry, a session or a delegation." }),
    },
    resolve: (_root, { id }, context) => readNode(context, id),
  }),
);
