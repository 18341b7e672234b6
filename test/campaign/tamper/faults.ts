import { append } from "./attempts.ts";
import type { Result } from "./run.ts";

/** What may not come of a manipulation; none for one that the table says cannot be found, or that the database refused. */
export function faultsOf({ of, outside, api, notice, refused, next, attempts, afterwards }: Result): readonly string[] {
  const succeeded = Object.entries(attempts).filter(([name, code]) => name !== append.name && code === "succeeded");
  const decided = of.passes === undefined ? succeeded.map(([name]) => `${name} succeeded`) : [];
  if (of.undetectable !== undefined) {
    return [...decided, ...(outside.verdict === "INTACT" ? [] : [`it is found after all: ${outside.verdict}`])];
  }
  if (refused !== undefined) return decided;
  return [
    ...decided,
    ...(outside.verdict === "INTACT" ? ["verification outside says INTACT"] : []),
    ...(api.verdict === "INTACT" ? ["verifyLedger says INTACT"] : []),
    ...(notice === undefined ? ["the running server did not notice"] : []),
    ...(next === "succeeded" ? ["the server goes on appending"] : []),
    ...(afterwards?.verdict === "INTACT" ? ["verification says INTACT after what was recorded since"] : []),
  ];
}
