import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { DomainError } from "../../errors.ts";
import type { LedgerId } from "../../facts/entry.ts";
import { parseJson } from "../../facts/parse-json.ts";
import { locked, replaceDurably } from "../../files.ts";
import { VERDICTS } from "../../verify/verdict.ts";
import { fileOf, isMissing } from "../heads.ts";
import type { WatchProblem } from "./problems.ts";

/** The lock file for writing in the directory. It is never removed. */
const LOCK = ".lock";

/**
 * Problems that nobody has acknowledged, kept outside the database, `<directory>/<organization>__<region>.json`: a server that was
 * killed while a ledger was stopped knows it before it has found them again. Processes may share a directory.
 */
export interface ProblemStore {
  /** What is kept of `ledger`. Rejects with ProblemsUnreadableError. */
  read(ledger: LedgerId): Promise<readonly WatchProblem[]>;
  /** Replaces what is kept of `ledger`, durably. Rejects when that is not possible; what was kept is then unchanged. */
  change(ledger: LedgerId, changed: (kept: readonly WatchProblem[]) => readonly WatchProblem[]): Promise<void>;
}

/** A file that cannot be read must not pass for one that is not there. */
export class ProblemsUnreadableError extends DomainError<"PROBLEMS_UNREADABLE"> {
  constructor(file: string, cause: unknown) {
    super("PROBLEMS_UNREADABLE", `${file} is not a file of problems of a ledger; move it away and find out why`, {
      cause,
    });
  }
}

const position = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt);
const stored = z.object({
  problems: z.array(
    z.object({
      verdict: z.enum(VERDICTS),
      seq: position.optional(),
      detail: z.string(),
      heads: z
        .array(
          z.object({
            seq: position,
            hash: z.string().regex(/^[0-9a-f]{64}$/),
            seenAt: z.iso.datetime().transform((text) => new Date(text)),
          }),
        )
        .optional(),
    }),
  ),
});

/** The files of a directory, which is made with the first of them. */
export function createProblemStore(directory: string): ProblemStore {
  async function read(ledger: LedgerId): Promise<readonly WatchProblem[]> {
    const file = fileOf(directory, ledger);
    try {
      const { problems } = stored.parse(parseJson(await readFile(file, "utf8")));
      return problems.map(({ heads, seq, ...rest }) => ({ ...rest, seq, ...(heads === undefined ? {} : { heads }) }));
    } catch (error) {
      if (isMissing(error)) return [];
      throw new ProblemsUnreadableError(file, error);
    }
  }

  return {
    read,
    async change(ledger, changed) {
      await mkdir(directory, { recursive: true });
      await locked(join(directory, LOCK), async () => {
        const kept = await read(ledger);
        const [before, after] = [kept, changed(kept)].map((problems) => textOf(ledger, problems));
        if (after !== undefined && after !== before) await replaceDurably(fileOf(directory, ledger), after);
      });
    },
  };
}

function textOf(ledger: LedgerId, problems: readonly WatchProblem[]): string {
  const texts = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
  return `${JSON.stringify({ ledger, problems }, texts, 2)}\n`;
}
