/** Everything the area adds to the schema. */
import "./ledger.ts";
import "./subscriptions.ts";
