import type { GraphQLSchema } from "graphql";
import { builder } from "./base/builder.ts";
import "./actions/actions.ts";
import "./directory/directory-mutations.ts";
import "./directory/directory.ts";
import "./ledger/ledger.ts";
import "./lineage/lineage.ts";
import "./base/links.ts";
import "./actions/mutations.ts";
import "./base/node.ts";
import "./directory/principal.ts";
import "./sessions/session-mutations.ts";
import "./actions/subscriptions.ts";

/** The schema of the API. Built once: every server of a process, and every test, shares it. */
export const schema: GraphQLSchema = builder.toSchema({ sortSchema: true });
