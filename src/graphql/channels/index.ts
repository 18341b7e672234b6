/** Everything the area adds to the schema. */
import "./channel.ts";
import "./notice.ts";
import "./configure.ts";
import "./accounts.ts";
import "./undelivered.ts";
import "./wait.ts";
