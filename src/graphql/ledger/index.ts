/** Everything the area adds to the schema. */
import "./health.ts";
import "./ledger.ts";
import "./subscriptions.ts";
