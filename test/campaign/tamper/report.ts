import { faultsOf } from "./faults.ts";
import type { Found, Result } from "./run.ts";

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const position = ({ verdict, seq }: Found) => (seq === undefined ? verdict : `${verdict} ${seq}`);

/** The results as a Markdown table, a row each. */
export function tableOf(results: readonly Result[]): string {
  const rows = results.map((result) => {
    const { of, outside, api, notice, refused, next, attempts, afterwards } = result;
    const tried = Object.entries(attempts).map(([name, code]) => `${name}: ${code}`);
    return [
      of.class,
      of.name,
      position(outside),
      position(api),
      refused === undefined
        ? notice === undefined
          ? "no"
          : `${notice.seconds.toFixed(1)} s, ${notice.by}`
        : "refused by the database",
      next,
      tried.join("; "),
      afterwards === undefined ? "" : position(afterwards),
    ];
  });
  const head = [
    "class",
    "manipulation",
    "verify, outside",
    "verifyLedger",
    "noticed after, by",
    "next append",
    "tried on a server that only alarms",
    "verify after that",
  ];
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");
}

/** Attempts that may succeed on a server that goes on in spite of its alarms, and why. */
export function passing(results: readonly Result[]): string {
  const rows = results.flatMap(({ of }) =>
    of.passes === undefined ? [] : [`| ${of.class}: ${cell(of.name)} | ${cell(of.passes)} |`],
  );
  return ["| manipulation | why an attempt may succeed |", "| --- | --- |", ...rows].join("\n");
}

/** Manipulations that are not found, and why. */
export function undetectable(results: readonly Result[]): string {
  const rows = results.flatMap(({ of }) =>
    of.undetectable === undefined ? [] : [`| ${of.class}: ${cell(of.name)} | ${cell(of.undetectable)} |`],
  );
  return ["| manipulation | why it is not found |", "| --- | --- |", ...rows].join("\n");
}

export function summaryOf(results: readonly Result[]): string {
  const seconds = results.flatMap(({ notice }) => (notice === undefined ? [] : [notice.seconds])).sort((a, b) => a - b);
  const faults = results.filter((result) => faultsOf(result).length > 0).length;
  const named = results.filter(({ of }) => of.undetectable !== undefined).length;
  const middle = seconds[Math.floor(seconds.length / 2)]?.toFixed(1) ?? "-";
  return (
    `${results.length} manipulations: ${faults} with faults, ${named} undetectable by what is in the database; ` +
    `${seconds.length} noticed by the running server, median ${middle} s, at most ${seconds.at(-1)?.toFixed(1) ?? "-"} s`
  );
}
