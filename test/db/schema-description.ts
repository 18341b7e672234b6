import type { ClientBase } from "pg";
import type { Line } from "./schema-description/lines.ts";
import { eventTriggers, functions, roles, schemas } from "./schema-description/others.ts";
import { relations } from "./schema-description/relations.ts";

const byText = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);

/** `oc_audit_log_2026_11`: a partition for one month, of which there are ever more as time goes by. */
const monthPartition = /^(?<parent>.+)_(?<year>\d{4})_(?<month>\d{2})$/;

/** The same for every month, as long as the partition covers just the month of its name. */
function withoutMonth(name: string, text: string): string {
  const { parent, year, month } = monthPartition.exec(name)?.groups ?? {};
  if (parent === undefined) return text;
  const following = new Date(Date.UTC(Number(year), Number(month), 1)).toISOString().slice(0, 7);
  return text
    .replaceAll(name, `${parent}_<month>`)
    .replace(
      `FROM ('${year}-${month}-01 00:00:00+00') TO ('${following}-01 00:00:00+00')`,
      "FROM (<month>) TO (<next month>)",
    );
}

/** Objects as paragraphs, sorted by name; paragraphs that are the same but for their month appear once. */
function paragraphs(lines: readonly Line[]): readonly string[] {
  const objects = Map.groupBy(lines, ({ object }) => object);
  const described = [...objects].map(([name, its]) => {
    const sorted = its.toSorted((a, b) => a.section - b.section || byText(a.place, b.place) || byText(a.text, b.text));
    const [head = "", ...details] = sorted.map(({ text }) => withoutMonth(name, text).replaceAll("\n", "\n    "));
    return { name: withoutMonth(name, name), text: [head, ...details.map((detail) => `  ${detail}`)].join("\n") };
  });
  const distinct = new Map(described.map((paragraph) => [paragraph.text, paragraph]));
  return [...distinct.values()]
    .sort((a, b) => byText(a.name, b.name) || byText(a.text, b.text))
    .map(({ text }) => text);
}

const withoutTrailingSpace = (text: string) => text.replaceAll(/[ \t]+$/gm, "");

/**
 * Everything the migrations made, read from the catalog, as text that is the same for the same schema whenever and
 * wherever it is read. The client must not be in a transaction.
 */
export async function describeSchema(client: ClientBase): Promise<string> {
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  try {
    // Both change how the catalog spells things.
    await client.query("SET LOCAL search_path = public; SET LOCAL timezone = 'UTC'");
    const sections: string[] = [];
    for (const query of [roles, schemas, relations, functions, eventTriggers]) {
      const { rows } = await client.query<Line>(query);
      sections.push(...paragraphs(rows));
    }
    return `${withoutTrailingSpace(sections.join("\n\n"))}\n`;
  } finally {
    await client.query("ROLLBACK");
  }
}
