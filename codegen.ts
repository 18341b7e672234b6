// Generates what clients are built against, schema/schema.graphql, from the code: `npm run schema:graphql`.
import { writeFile } from "node:fs/promises";
import { printSchema } from "graphql";
import { schema } from "./src/graphql/schema.ts";

await writeFile(new URL("schema/schema.graphql", import.meta.url), `${printSchema(schema)}\n`);
