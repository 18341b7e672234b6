import type { GraphQLSchema } from "graphql";
import { builder } from "./base/builder.ts";
import { resolveInRegions } from "./base/regions.ts";
import { countResponses } from "./base/response-budget.ts";
import "./actions/index.ts";
import "./channels/index.ts";
import "./directory/index.ts";
import "./ledger/index.ts";
import "./lineage/index.ts";
import "./oversight/index.ts";
import "./policy/index.ts";
import "./sessions/index.ts";

/** The schema of the API, made of its areas. Built once: every server of a process, and every test, shares it. */
export const schema: GraphQLSchema = builder.toSchema({ sortSchema: true });
resolveInRegions(schema);
countResponses(schema);
