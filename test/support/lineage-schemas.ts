import { readFileSync } from "node:fs";
import type { ErrorObject } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import Ajv04 from "ajv-draft-04";
import addFormats from "ajv-formats";

/** Validates exports by the schemas that others published, and our facets by ours. */

const read = (file: string) => JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), "utf8")) as object;
const published = (file: string) => read(`test/schema/published/${file}`);

// Schemas of OpenLineage have members that JSON Schema does not know, such as `example`.
const openLineage = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(openLineage);
const event = openLineage.compile(published("OpenLineage.json"));
for (const schema of ["LineageFacet.json", "JobTypeJobFacet.json"]) openLineage.addSchema(published(schema));
openLineage.addSchema(read("schema/openlineage-facets.schema.json"));

const provSchema = published("prov-json-schema-v4.json") as {
  readonly definitions: { readonly bundle: { readonly properties: object } };
};
const provAjv = new Ajv04.default({ strict: false, allErrors: true });
addFormats.default(provAjv);
const prov = provAjv.compile(provSchema);

interface Facets {
  readonly [name: string]: { readonly _schemaURL: string; readonly _producer: string };
}
interface RunEvent {
  readonly run: { readonly facets: Facets };
  readonly job: { readonly facets: Facets };
}

const texts = (errors: readonly ErrorObject[] | null | undefined) =>
  (errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);

/** What is wrong with a run event, each of its facets by the schema that it names. */
export function openLineageProblems(value: unknown): readonly string[] {
  if (!event(value)) return texts(event.errors);
  const { run, job } = value as unknown as RunEvent;
  return Object.entries({ ...run.facets, ...job.facets }).flatMap(([name, facet]) => {
    const validate = openLineage.getSchema(facet._schemaURL);
    if (validate === undefined) return [`${name}: there is no schema ${facet._schemaURL}`];
    return validate(facet) ? [] : texts(validate.errors).map((text) => `${name}${text}`);
  });
}

/** What is wrong with a document of PROV-JSON. */
export function provProblems(value: unknown): readonly string[] {
  if (!prov(value)) return texts(prov.errors);
  const known = Object.keys(provSchema.definitions.bundle.properties);
  // The schema beside the submission permits no others, and misspells this one.
  const others = Object.keys(value as object).filter((name) => !known.includes(name) || name === "wasEndedBy");
  return others.map((name) => `there is no relation ${name}`);
}
