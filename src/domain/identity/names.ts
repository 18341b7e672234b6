import { z } from "zod";
import { isVisible } from "../../facts/text.ts";

const MESSAGE = "must be visible, well-formed Unicode";

/** What becomes an id, a role, a group or a name: part of a ledger's name, of a key or of a search column. */
export const nameSchema = z.string().min(1).max(200).refine(isVisible, MESSAGE);
export const nameListSchema = z.array(nameSchema).max(100);
export const emailSchema = z.string().max(320).refine(isVisible, MESSAGE);
/** An organization is part of a ledger's name, `<organization>/<region>`. */
export const organizationSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/);
