import { withClient } from "../support/postgres.ts";

/** Lets a superuser change `oc_state` in the transaction that it begins. */
export const UNGUARD_STATES = "SET LOCAL countersign.migration = 'on'; ALTER TABLE oc_state DISABLE TRIGGER USER";

/** `sql`, of a superuser who takes the triggers of `oc_state` off and puts them back, in one transaction. */
export function unguarded(sql: string): string {
  return `BEGIN; ${UNGUARD_STATES}; ${sql}; SELECT oc_always('oc_state'); COMMIT`;
}

/** Runs `sql` as a superuser who takes the triggers of `oc_state` off and puts them back. Throws when it changes no row. */
export async function manipulate(superuserUrl: string, sql: string, values: readonly unknown[] = []): Promise<void> {
  await withClient(superuserUrl, async (client) => {
    await client.query(`BEGIN; ${UNGUARD_STATES}`);
    const { rowCount } = await client.query(sql, [...values]);
    if (rowCount === 0) throw new Error("no row was changed");
    await client.query("SELECT oc_always('oc_state'); COMMIT");
  });
}

/** Keeps the row of a thing as it is now; `putBack` writes it again. */
export async function keepState(superuserUrl: string, kind: string, id: string): Promise<{ putBack(): Promise<void> }> {
  const row = await withClient(superuserUrl, async (client) => {
    const { rows } = await client.query<{ row: string }>(
      "SELECT to_json(s)::text AS row FROM oc_state s WHERE kind = $1 AND id = $2",
      [kind, id],
    );
    return rows[0]?.row;
  });
  const columns = "version, state, status, expires_at, updated_seq, entries, hash";
  return {
    putBack: () =>
      manipulate(
        superuserUrl,
        `UPDATE oc_state s SET (${columns}) = (SELECT ${columns.replaceAll(/\w+/g, "o.$&")}
           FROM json_populate_record(NULL::oc_state, $3::json) o) WHERE kind = $1 AND id = $2`,
        [kind, id, row],
      ),
  };
}
