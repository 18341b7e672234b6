import { FACT_TYPES } from "../../facts/registry.ts";

/** For descriptions: what an entry can be. */
export const LISTED_FACT_TYPES = FACT_TYPES.join(", ");
