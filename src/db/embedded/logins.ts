import { Client, escapeIdentifier, escapeLiteral } from "pg";
import { outliveLoss } from "../session.ts";
import { newPassword } from "./cluster.ts";

/** The roles that log in to the cluster while it runs: the server, and the commands that only read. */
export const LOGINS = ["oc_app", "oc_auditor"] as const;
export type Login = (typeof LOGINS)[number];

/**
 * Lets the roles log in to our own cluster, with passwords that change at every start. What logs in as one of them has no login
 * behind it that could do more. Resolves with the passwords. `superuserUrl` is of a migrated database.
 */
export async function letIn(superuserUrl: string): Promise<Readonly<Record<Login, string>>> {
  const passwords = { oc_app: newPassword(), oc_auditor: newPassword() };
  const client = new Client({ connectionString: superuserUrl, connectionTimeoutMillis: 10_000, query_timeout: 10_000 });
  outliveLoss(client);
  await client.connect();
  try {
    for (const role of LOGINS) {
      await client.query(`ALTER ROLE ${escapeIdentifier(role)} LOGIN PASSWORD ${escapeLiteral(passwords[role])}`);
    }
  } finally {
    await client.end();
  }
  return passwords;
}
