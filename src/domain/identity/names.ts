import { z } from "zod";
import { LEDGER_PART } from "../../facts/entry.ts";
import { nameProblem } from "../../facts/text.ts";

/** UTF-16 code units. */
const MAX_NAME = 200;
const MAX_EMAIL = 320;

function nameOf(most: number) {
  return z.string().superRefine((text, context) => {
    const message = nameProblem(text, most);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
}

/** What becomes an id, a role, a group or a name: part of a ledger's name, of a key or of a search column. */
export const nameSchema = nameOf(MAX_NAME);
export const nameListSchema = z.array(nameSchema).max(100);
export const emailSchema = nameOf(MAX_EMAIL);
/**
 * What an issuer calls somebody, for people to read. It is put into normal form C, with single plain spaces, because
 * hardly anybody can change how a provider writes the names of its people.
 */
export const displayNameSchema = z
  .string()
  .max(MAX_NAME)
  .transform((text) =>
    text
      .replace(/\p{Zs}+/gu, " ")
      .replace(/^ | $/g, "")
      .normalize("NFC"),
  )
  .pipe(nameSchema);
/** An organization is part of a ledger's name, `<organization>/<region>`. */
export const organizationSchema = z.string().regex(LEDGER_PART);
/** Where somebody or something is, as platforms have it. */
export const regionSchema = z.string().regex(LEDGER_PART);
