import { z } from "zod";

/**
 * Characters that nobody sees, or that change how their neighbours are seen: controls, formats (joiners, direction
 * marks), private use, lone surrogates, default-ignorables, noncharacters, line and paragraph separators (Unicode 17,
 * DerivedCoreProperties), and BRAILLE PATTERN BLANK, which is drawn as nothing. Two names must not look the same because of them.
 */
const INVISIBLE =
  /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800]/u;

/** Whether every character of `text` can be seen, white space between others aside. */
export function isVisible(text: string): boolean {
  return !INVISIBLE.test(text) && /\S/.test(text);
}

const MESSAGE = "must be visible, well-formed Unicode";

/** What becomes an id, a role, a group or a name: part of a ledger's name, of a key or of a search column. */
export const nameSchema = z.string().min(1).max(200).refine(isVisible, MESSAGE);
export const nameListSchema = z.array(nameSchema).max(100);
export const emailSchema = z.string().max(320).refine(isVisible, MESSAGE);
/** An organization is part of a ledger's name, `<organization>/<region>`. */
export const organizationSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);
