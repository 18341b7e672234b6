/** Everything the area adds to the schema. */
import "./directory.ts";
import "./directory-mutations.ts";
import "./principal.ts";
