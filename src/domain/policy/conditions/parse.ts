import { parse } from "@bufbuild/cel";
import type { Expression } from "./tree.ts";

/** UTF-16 code units of a condition. */
export const MAX_CONDITION = 4_096;
const PLACE = /^<input>:(\d+):(\d+): /;

/** What is wrong with a condition; `offset` counts UTF-16 code units of its text, from 0. */
export class ConditionError extends Error {
  override readonly name = "ConditionError";
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** The tree of `text`. Throws ConditionError. */
export function parsed(text: string): ReturnType<typeof parse> & { readonly expr: Expression } {
  if (text.length > MAX_CONDITION) {
    throw new ConditionError(`is longer than ${MAX_CONDITION} characters: split it into several rules`, 0);
  }
  let result: ReturnType<typeof parse>;
  try {
    result = parse(text);
  } catch (error) {
    // Too many parentheses overflow the parser's stack.
    if (error instanceof RangeError) throw new ConditionError("is nested too deep", 0);
    const message = error instanceof Error ? error.message : String(error);
    const [all = "", line = "1", column = "1"] = PLACE.exec(message) ?? [];
    const before = text.split("\n").slice(0, Number(line) - 1);
    const offset = before.reduce((sum, { length }) => sum + length + 1, 0) + Number(column) - 1;
    throw new ConditionError(message.slice(all.length), offset);
  }
  const { expr } = result;
  if (expr === undefined) throw new ConditionError("is empty", 0);
  return { ...result, expr };
}
