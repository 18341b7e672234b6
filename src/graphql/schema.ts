import type { GraphQLSchema } from "graphql";
import { builder } from "./builder.ts";
import "./actions.ts";
import "./directory-mutations.ts";
import "./directory.ts";
import "./ledger.ts";
import "./lineage.ts";
import "./links.ts";
import "./mutations.ts";
import "./node.ts";
import "./principal.ts";
import "./session-mutations.ts";
import "./subscriptions.ts";

/** The schema of the API. Built once: every server of a process, and every test, shares it. */
export const schema: GraphQLSchema = builder.toSchema({ sortSchema: true });
