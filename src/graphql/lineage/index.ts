/** Everything the area adds to the schema. */
import "./argument-sources.ts";
import "./lineage.ts";
import "./lineage-edges.ts";
import "./links.ts";
import "./source-entries.ts";
