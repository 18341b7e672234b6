import { type TestDatabase, withClient } from "./postgres.ts";

/** Every text of every row of every table. */
export async function textsOf({ superuserUrl }: TestDatabase): Promise<string> {
  return withClient(superuserUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'`,
    );
    const found: string[] = [];
    for (const { name } of rows) {
      const { rows: texts } = await client.query<{ text: string }>(`SELECT t::text AS text FROM ${name} t`);
      found.push(...texts.map(({ text }) => text));
    }
    return found.join("\n");
  });
}
