import { z } from "zod";
import { badData, readJsonFile } from "../../json-file.ts";
import type { ByObject } from "./compare.ts";

const exceptions = z.record(z.string(), z.array(z.string()));

/**
 * The problems that an operator accepts, by object, from the file that GUARD_EXCEPTIONS names. It is outside the database: whoever
 * weakens a guard there cannot also have that accepted.
 *
 * @throws ConfigurationError naming the file and what is wrong with it.
 */
export async function loadGuardExceptions(file: string | undefined): Promise<ByObject> {
  if (file === undefined) return {};
  const { value, source } = await readJsonFile({ file, what: "file of guard exceptions", setting: "GUARD_EXCEPTIONS" });
  const parsed = exceptions.safeParse(value);
  if (parsed.success) return parsed.data;
  const message =
    `has to be an object such as {"public.oc_bi_access": ["unexpected: row bi_acme reads acme"]}: ` +
    "objects with lists of problems, as verification prints them";
  throw badData(source, [{ path: parsed.error.issues[0]?.path ?? [], message: `the file ${message}` }]);
}
