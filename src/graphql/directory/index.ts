/** Everything the area adds to the schema. */
import "./delegations.ts";
import "./directory.ts";
import "./mutations.ts";
import "./principal.ts";
import "./settings.ts";
