import { z } from "zod";
import type { JsonValue } from "../../src/facts/canonical.ts";
import { metaOf } from "../../src/facts/schema.ts";

export const UUID = "0192f3a0-0000-7000-8000-00000000000a";
export const HEX = "0123456789abcdef".repeat(4);
export const INSTANT = "2024-02-29T12:34:56.123456Z";

/** A right value of each sort of member that is more than its JSON type, by what FORMAT.md calls it. */
const samples: Readonly<Record<string, JsonValue>> = {
  JWS: `e30..${"A".repeat(86)}`,
  UUID,
  instant: INSTANT,
  "32 hex digits": HEX.slice(32),
  "64 hex digits": HEX,
  "`sha256:` and 64 hex digits": `sha256:${HEX}`,
  commitment: { commit: HEX },
  "object of integers": { entry: 3, ledger: 0 },
  "object of decimals": { amount: "250.00", nights: "3" },
};

/** A value that `schema` accepts, with every member that it may have. */
export function sampleOf(schema: z.ZodType): JsonValue {
  const sample = samples[metaOf(schema).json];
  if (sample !== undefined) return sample;
  if (schema instanceof z.ZodOptional) return sampleOf(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodObject) {
    const members = Object.entries(schema.shape as z.ZodRawShape);
    return Object.fromEntries(members.map(([name, member]) => [name, sampleOf(member as z.ZodType)]));
  }
  if (schema instanceof z.ZodArray) {
    const item = schema.element as z.ZodType;
    return item instanceof z.ZodDiscriminatedUnion
      ? item.options.map((option) => sampleOf(option as z.ZodType))
      : [sampleOf(item)];
  }
  if (schema instanceof z.ZodEnum) return schema.options[0] ?? "";
  if (schema instanceof z.ZodLiteral) return schema.value as JsonValue;
  if (schema instanceof z.ZodNumber) return 1;
  if (schema instanceof z.ZodBoolean) return true;
  return schema instanceof z.ZodString ? "some text" : { member: [1, "two"] };
}
