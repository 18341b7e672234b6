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

const FEWER =
  "Heads are lost and nothing else is changed: the ledger is as it was recorded. Of a ledger of more than 1,000 entries a server " +
  "says that it knows no head.";
const SHORTER =
  "Entries at the end are cut off, and the heads that name them are lost as well: a shorter ledger is consistent in itself. Only " +
  "what was kept elsewhere, such as an export, shows that there was more.";
const REWRITTEN =
  "A fact that carries no signature is rewritten, everything after it re-hashed, and the heads are lost as well: everybody can " +
  "compute hashes. Facts with a signature cannot be rewritten.";

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
    undetectable: FEWER,
  },
  {
    name: "an older copy put back, and the entries since then cut off",
    files: older(20),
    sql: () => `SELECT pg_temp.cut(20)`,
    undetectable: SHORTER,
  },
  {
    name: "removed",
    files: removed,
    undetectable: FEWER,
  },
  {
    name: "removed, and the last entries cut off",
    files: removed,
    sql: ({ last }) => `SELECT pg_temp.cut(${last - 3})`,
    undetectable: SHORTER,
  },
  {
    name: "removed, and a fact without a signature rewritten and re-hashed",
    files: removed,
    sql: () => `SELECT pg_temp.edit(seq, '"id":"auditor"', '"id":"approver"'), pg_temp.rehash(seq) FROM oc_audit_log WHERE type = 'AUDIT_READ' AND ledger = 'acme/eu';
      UPDATE oc_audit_log SET actor_id = 'approver' WHERE type = 'AUDIT_READ' AND ledger = 'acme/eu'`,
    undetectable: REWRITTEN,
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
