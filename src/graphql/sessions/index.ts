/** Everything the area adds to the schema. */
import "./links.ts";
import "./session.ts";
import "./mutations.ts";
