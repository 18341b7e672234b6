import { readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import type { JsonValue } from "../../../src/facts/canonical.ts";
import { parseJson } from "../../../src/facts/parse-json.ts";
import type { DataSet, Known, Others, Read, ValueType } from "./flow.ts";
import type { Random } from "./random.ts";

const conversation = z.object({
  id: z.string(),
  steps: z.array(
    z.object({ tool: z.string(), platform: z.string(), arguments: z.unknown(), output: z.unknown().optional() }),
  ),
});

/** Tools of the traces that read records. */
const READING = new Set([
  "get_user_details",
  "get_reservation_details",
  "search_direct_flight",
  "search_onestop_flight",
]);

/** The values of a result that a person might carry on, by how they are written. */
function knownIn(result: JsonValue): readonly Known[] {
  const known: Known[] = [];
  let records = 0;
  function visit(value: JsonValue, record: number): void {
    if (typeof value === "string") {
      const type = typeOf(value);
      if (type !== undefined) known.push({ type, value, record });
    } else if (typeof value === "number" && value >= 1_000) known.push({ type: "NUMBER", value, record });
    else if (typeof value === "object" && value !== null) {
      records += 1;
      const own = records;
      const { first_name: first, last_name: last } = value as { readonly [name: string]: JsonValue };
      if (typeof first === "string" && typeof last === "string") {
        known.push({ type: "NAME", value: `${first} ${last}`, parts: [first, last], record: own });
      }
      for (const one of Object.values(value)) visit(one as JsonValue, own);
    }
  }
  visit(result, 0);
  return known;
}

function typeOf(value: string): ValueType | undefined {
  if (value.includes("@")) return "EMAIL";
  if (/^\d{4}-\d{2}-\d{2}T/.test(value)) return "MOMENT";
  if (/^\d{4}-\d{2}-\d{2}$/.test(value)) return "DATE";
  if (/\d{2}:\d{2}:\d{2}/.test(value)) return undefined;
  if (/^(?=.*\d)(?=.*\p{L})[\p{L}\d_]{5,}$/u.test(value) || /^\d{5,}$/.test(value)) return "IDENTIFIER";
  return /\p{L}+ \p{L}+/u.test(value) && value.length >= 8 ? "TEXT" : undefined;
}

/** The traces of an airline's assistant in `file`: what it read, with writes planted behind. */
export function airline(file = path.resolve(import.meta.dirname, "../../../clients/demo/airline.jsonl")): DataSet {
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  const sessions = lines.flatMap((line) => {
    const { steps } = conversation.parse(parseJson(line));
    const reads = steps.flatMap(({ tool, platform, arguments: given, output }): Read[] => {
      if (!READING.has(tool) || typeof output !== "object" || output === null) return [];
      const result = output as JsonValue;
      return [{ platform, tool, arguments: given as JsonValue, result, known: knownIn(result) }];
    });
    const distinct = [...new Map(reads.map((read) => [JSON.stringify([read.tool, read.arguments]), read])).values()];
    return distinct.length > 0 ? [distinct] : [];
  });
  const everything = sessions.flat();

  return {
    name: "airline traces",
    session(random) {
      const own = random.pick(sessions);
      return own.length <= 5 ? own : random.some(own, 5);
    },
    write(random, values) {
      const names = ["reference", "detail", "note", "value", "field"];
      const fields = values.map((value, at) => [`${names[at % names.length]}_${at + 1}`, value] as const);
      const reason = random.pick(["service_recovery", "schedule_change", "customer_request"]);
      return { platform: "vouchers", arguments: { reason, currency: "USD", details: Object.fromEntries(fields) } };
    },
    others: (random) => othersOf(random, everything),
  };
}

/** What anybody writes, such as today's date, and common values of other sessions. */
function othersOf(random: Random, reads: readonly Read[]): Others {
  const common = [
    "economy",
    "business",
    "round_trip",
    "New York",
    "USA",
    "2024-05-15",
    100,
    250,
    "gold",
    "yes",
    "visa",
    "JFK",
  ];
  const elsewhere = random.pick(reads).known.filter(({ type }) => type === "DATE" || type === "TEXT");
  const strange = `V-${random.whole(10_000, 99_999)}`;
  const foreign = random.chance(0.5) && elsewhere.length > 0 ? [random.pick(elsewhere).value] : [];
  return { common: random.some(common, random.whole(2, 4)), strange: [...foreign, strange] };
}
