/** Everything the area adds to the schema. */
import "./directory.ts";
import "./mutations.ts";
import "./principal.ts";
import "./settings.ts";
