/** Everything the area adds to the schema. */
import "./oversight.ts";
