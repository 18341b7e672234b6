import { cp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Manipulation } from "./manipulation.ts";

const NAME = "acme__eu.json";
interface File {
  readonly head: { readonly seq: string; readonly hash: string };
  readonly earlier: readonly { readonly seq: string; readonly hash: string }[];
}

/** Rewrites the heads of acme/eu. */
const edited = (change: (file: File) => File) => async (heads: string) => {
  const name = path.join(heads, NAME);
  await writeFile(name, JSON.stringify(change(JSON.parse(await readFile(name, "utf8")) as File)));
};
/** As it was when the ledger had `seq` entries. */
const older = (seq: number) =>
  edited((file) => {
    const earlier = file.earlier.filter((head) => Number(head.seq) <= seq);
    const head = earlier.at(-1);
    if (head === undefined) throw new Error(`no head up to ${seq} is known`);
    return { ...file, head, earlier: earlier.slice(0, -1) };
  });
const removed = (heads: string) => rm(path.join(heads, NAME));

export const OF_FILES: readonly Manipulation[] = [
  { name: "garbage", files: (heads) => writeFile(path.join(heads, NAME), "garbage") },
  { name: "truncated in the middle", files: (heads) => truncate(path.join(heads, NAME), 100) },
  { name: "emptied", files: (heads) => truncate(path.join(heads, NAME), 0) },
  { name: "another JSON value", files: (heads) => writeFile(path.join(heads, NAME), '{"heads":[]}') },
  {
    name: "the file of another ledger",
    files: (heads) => cp(path.join(heads, "globex__eu.json"), path.join(heads, NAME)),
  },
  {
    name: "another hash",
    files: edited((file) => ({ ...file, head: { ...file.head, hash: "0".repeat(64) } })),
  },
  {
    name: "a head beyond the end",
    files: edited((file) => ({ ...file, head: { ...file.head, seq: "9000" } })),
  },
  {
    name: "an older copy put back",
    files: older(20),
    undetectable: "The ledger is as it was recorded; there is less to compare it with. Nothing is wrong with it yet.",
  },
  {
    name: "an older copy put back, and the entries since then cut off",
    files: older(20),
    sql: () => `SELECT pg_temp.cut(20)`,
    undetectable:
      "A ledger that ends earlier is a ledger. Only what was kept elsewhere (heads, an export, a receipt) shows that there was more.",
  },
  {
    name: "removed",
    files: removed,
    undetectable:
      "As with an older copy. Of a ledger of more than 1,000 entries the server says that the heads are missing.",
  },
  {
    name: "removed, and the last entries cut off",
    files: removed,
    sql: ({ last }) => `SELECT pg_temp.cut(${last - 3})`,
    undetectable: "As with an older copy.",
  },
  {
    name: "removed, and a fact without a signature rewritten and re-hashed",
    files: removed,
    sql: () => `SELECT pg_temp.edit(seq, '"id":"auditor"', '"id":"approver"'), pg_temp.rehash(seq) FROM oc_audit_log WHERE type = 'AUDIT_READ' AND ledger = 'acme/eu';
      UPDATE oc_audit_log SET actor_id = 'approver' WHERE type = 'AUDIT_READ' AND ledger = 'acme/eu'`,
    undetectable:
      "Facts that open nothing are not signed, and hashes can be computed by everybody: only a known hash contradicts.",
  },
  {
    name: "removed, and the name of an approver rewritten and re-hashed",
    files: removed,
    sql: ({
      actions,
    }) => `SELECT pg_temp.edit(seq, '"id":"approver"', '"id":"approver2"'), pg_temp.rehash(seq) FROM oc_audit_log
       WHERE type = 'ACTION_APPROVED' AND action_id = '${actions.approved.uuid}';
      UPDATE oc_audit_log SET actor_id = 'approver2' WHERE type = 'ACTION_APPROVED' AND action_id = '${actions.approved.uuid}'`,
  },
];
