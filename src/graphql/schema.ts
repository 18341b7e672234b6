import type { GraphQLSchema } from "graphql";
import { countAnswers } from "./base/answer-budget.ts";
import { builder } from "./base/builder.ts";
import "./actions/index.ts";
import "./directory/index.ts";
import "./ledger/index.ts";
import "./lineage/index.ts";
import "./sessions/index.ts";

/** The schema of the API, made of its areas. Built once: every server of a process, and every test, shares it. */
export const schema: GraphQLSchema = builder.toSchema({ sortSchema: true });
countAnswers(schema);
