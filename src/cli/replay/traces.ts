import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { asError } from "../../errors.ts";
import { JsonTextError, parseJsonText } from "../../json-text.ts";
import { CommandError } from "../exit.ts";

const step = z.object({
  tool: z.string().min(1),
  platform: z.string().min(1),
  arguments: z.record(z.string(), z.unknown()),
  /** The return value of the tool: any JSON; a string that begins with `Error` is a failure. */
  output: z.unknown().optional(),
  /** The person's latest message before the call. */
  userRequest: z.string().optional(),
  /** The model's explanation of the call. */
  rationale: z.string().optional(),
});

const conversation = z.object({
  /** Unique within the file. */
  id: z.string().min(1),
  model: z.string().optional(),
  userRequest: z.string().optional(),
  steps: z.array(step),
});

/** One recorded tool call. */
export type TraceStep = Readonly<z.infer<typeof step>>;

/** One recorded conversation: a line of a trace file. */
export type Conversation = Readonly<z.infer<typeof conversation>>;

/** Such a number was rounded when parsed, so it would be recorded differently from the file. */
function isRounded(value: unknown): boolean {
  if (typeof value === "number")
    return !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value));
  if (typeof value === "object" && value !== null) return Object.values(value).some(isRounded);
  return false;
}

/** `line` has a byte in each character. Throws JsonTextError, or an Error without a place. */
function readLine(line: string): Conversation {
  // Arguments are what was recorded, whatever their names.
  const value: unknown = parseJsonText(Buffer.from(line, "latin1"), { anyNames: true }).value;
  const parsed = conversation.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new Error(`${issue.path.join(".") || "the line"}: ${issue.message}`);
  }
  if (isRounded(value)) throw new Error("an integer beyond 2^53 would be rounded; write it as a string");
  return parsed.data;
}

/**
 * Reads a file of recorded conversations, one JSON object a line; empty lines are skipped.
 *
 * @throws CommandError USAGE naming file, line and, for what is no JSON, column.
 */
export async function readTraces(file: string): Promise<readonly Conversation[]> {
  const conversations: Conversation[] = [];
  const ids = new Set<string>();
  let number = 0;
  try {
    // Read as bytes: a decoder would replace what is not UTF-8, and U+2028 within a string is no end of a line.
    const input = createReadStream(file, "latin1");
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      number += 1;
      if (line.trim() === "") continue;
      const read = readLine(line);
      if (ids.has(read.id)) throw new Error(`a second conversation with id ${read.id}`);
      ids.add(read.id);
      conversations.push(read);
    }
  } catch (cause) {
    const column = cause instanceof JsonTextError && cause.place !== undefined ? `:${cause.place.column}` : "";
    const place = number === 0 ? "" : `:${number}${column}`;
    throw new CommandError("USAGE", `${file}${place}: ${asError(cause).message}`, { cause });
  }
  if (conversations.length === 0) throw new CommandError("USAGE", `${file} holds no conversation.`);
  return conversations;
}

/** The error text of a failed tool, or undefined for a successful output. */
export function failureOf({ output }: TraceStep): string | undefined {
  return typeof output === "string" && output.startsWith("Error") ? output : undefined;
}
