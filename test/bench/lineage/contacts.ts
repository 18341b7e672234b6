import type { JsonValue } from "../../../src/facts/canonical.ts";
import type { DataSet, Known, Read } from "./flow.ts";
import type { Random } from "./random.ts";
import { date, type Person, person } from "./words.ts";

/** The fields of a contact, as a result has them. */
function rowOf({ id, first, last, email, phone, company, city, stage, since, revenue }: Person) {
  return { id, firstName: first, lastName: last, email, phone, company, city, stage, customerSince: since, revenue };
}

function knownOf(one: Person, record: number): readonly Known[] {
  return [
    { type: "IDENTIFIER", value: one.id, record },
    { type: "NAME", value: `${one.first} ${one.last}`, parts: [one.first, one.last], record },
    { type: "EMAIL", value: one.email, record },
    { type: "PHONE", value: one.phone, record },
    { type: "TEXT", value: one.company, record },
    { type: "DATE", value: one.since, record },
    { type: "NUMBER", value: one.revenue, record },
  ];
}

/** How a platform gives a list of records: JSON, or one of the texts that tools return. */
function listed(random: Random, people: readonly Person[]): JsonValue {
  const rows = people.map(rowOf);
  const names = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) => Object.values(row).map(String));
  switch (random.whole(0, 6)) {
    case 0:
      return [names.join(","), ...lines.map((line) => line.join(","))].join("\n");
    case 1:
      return [
        `| ${names.join(" | ")} |`,
        `|${names.map(() => "---|").join("")}`,
        ...lines.map((line) => `| ${line.join(" | ")} |`),
      ].join("\n");
    case 2:
      return rows
        .map(
          (row) =>
            `- ${Object.entries(row)
              .map(([name, value]) => `${name}: ${value}`)
              .join("\n  ")}`,
        )
        .join("\n");
    case 3: {
      const cells = lines.map((line) => `<tr>${line.map((cell) => `<td>${cell}</td>`).join("")}</tr>`);
      return `<html><body><table><tr>${names.map((name) => `<th>${name}</th>`).join("")}</tr>${cells.join("")}</table></body></html>`;
    }
    case 4:
      return { content: [{ type: "text", text: JSON.stringify(rows) }], isError: false };
    default:
      return { total: rows.length, contacts: rows };
  }
}

function search(random: Random): Read {
  const people = Array.from({ length: random.whole(3, 25) }, () => person(random));
  const known = people.flatMap(knownOf);
  return {
    platform: "crm",
    tool: "search_contacts",
    arguments: { page: random.whole(1, 1e6) },
    result: listed(random, people),
    known,
  };
}

function calendar(random: Random): Read {
  const people = Array.from({ length: random.whole(1, 4) }, () => person(random));
  const events = people.map(({ first, last, email }) => ({
    title: `Call with ${first} ${last}`,
    start: `${date(random, 2026, 2026)}T${random.whole(10, 17)}:${random.pick(["00", "30"])}:00Z`,
    attendees: [email],
    location: random.pick(["Meeting room 2", "Video call", "Main office"]),
  }));
  const known = events.flatMap(({ start, attendees: [email] }, record): Known[] => [
    { type: "MOMENT", value: start, record },
    { type: "EMAIL", value: email as string, record },
  ]);
  return {
    platform: "calendar",
    tool: "list_events",
    arguments: { day: random.whole(1, 1e6) },
    result: { events },
    known,
  };
}

/** Contacts and appointments, and rows of a sheet. */
export const contacts: DataSet = {
  name: "contacts to sheets",
  session: (random) =>
    Array.from({ length: random.whole(2, 5) }, () => (random.chance(0.6) ? search(random) : calendar(random))),
  write(random, values) {
    const width = random.whole(2, 4);
    const rows = Array.from({ length: Math.ceil(values.length / width) }, (_, at) =>
      values.slice(at * width, (at + 1) * width),
    );
    return { platform: "sheets", arguments: { spreadsheet: "Quarterly review", range: "Sheet1!A2", rows } };
  },
  others(random) {
    const { first, city, stage, revenue, since, company } = person(random);
    const common = random.some([city, stage, "2026-05-20", "Video call", "yes", 0], random.whole(2, 4));
    return { common, strange: random.some([first, revenue, since, company], random.whole(1, 3)) };
  },
};
