/** Everything the area adds to the schema. */
import "./actions.ts";
import "./decision-source.ts";
import "./break-glass.ts";
import "./decide.ts";
import "./execution.ts";
import "./explain.ts";
import "./links.ts";
import "./mutations.ts";
import "./propose.ts";
import "./subscriptions.ts";
import "./times.ts";
