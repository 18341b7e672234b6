/** Everything the area adds to the schema. */
import "./lineage.ts";
import "./links.ts";
