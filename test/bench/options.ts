import { parseArgs } from "node:util";

/** A whole number that a benchmark is given, such as `--pairs 15`. */
export interface NumberOption {
  readonly says: string;
  readonly unit: string;
  readonly from: number;
  readonly to: number;
  readonly otherwise: number;
}

/**
 * The options of this process, by their names. For `--help` it prints them after `about` and ends. Throws for one that there is not, or that is
 * no whole number within its bounds.
 */
export function readOptions<Name extends string>(
  about: string,
  options: Readonly<Record<Name, NumberOption>>,
): Readonly<Record<Name, number>> {
  const all = Object.entries<NumberOption>(options);
  const flags = Object.fromEntries(all.map(([name]) => [name, { type: "string" as const }]));
  const { values } = parseArgs({ options: { ...flags, help: { type: "boolean" as const } } });
  const given: Readonly<Record<string, string | boolean | undefined>> = values;
  if (given.help === true) {
    const lines = all.map(
      ([name, { says, unit, from, to, otherwise }]) =>
        `  --${name.padEnd(12)} ${says}: ${unit}, ${from} to ${to}; ${otherwise} when left out`,
    );
    process.stdout.write(`${about}\n\n${lines.join("\n")}\n`);
    process.exit(0);
  }
  return Object.fromEntries(all.map(([name, option]) => [name, numberOf(name, option, given[name])])) as Readonly<
    Record<Name, number>
  >;
}

function numberOf(
  name: string,
  { unit, from, to, otherwise }: NumberOption,
  given: string | boolean | undefined,
): number {
  if (given === undefined) return otherwise;
  const value = Number(given);
  if (Number.isSafeInteger(value) && value >= from && value <= to) return value;
  throw new Error(`--${name} takes a whole number of ${unit} from ${from} to ${to}, and ${String(given)} is none`);
}
