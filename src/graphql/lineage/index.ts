/** Everything the area adds to the schema. */
import "./argument-sources.ts";
import "./lineage.ts";
import "./links.ts";
