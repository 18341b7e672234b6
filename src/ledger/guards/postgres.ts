import type { ClientBase } from "pg";
import { closed, type GuardFact, identifier, sha256, words } from "./fact.ts";
import { type Fields, inSource, readDisplaced, readShipped } from "./shipped.ts";

const OBJECT = "pg_catalog";
/** OIDs of the schema pg_catalog, of the languages, and of the superuser of initdb, who owns what PostgreSQL came with. */
const PG_CATALOG = 11;
const INTERNAL = 12;
const C = 13;
const FIRST_SUPERUSER = 10;
/** Types with OIDs below this have them in the source; those of arrays are generated from them. */
const FIRST_GENERATED = 10_000;

/** Functions whose overloads are facts of their own, so that a report names them: those that entries are guarded and facts read with. */
const NAMED = new Set(
  `aclexplode array_position byteaeq byteane cardinality clock_timestamp convert_to date_trunc decode encode fmgr_c_validator
   fmgr_internal_validator fmgr_sql_validator format format_type int4eq int8eq int8ge int8lt int8ne jsonb_typeof length nameeq
   octet_length oideq pg_get_constraintdef pg_get_expr pg_get_function_sqlbody pg_get_indexdef pg_get_ruledef pg_get_triggerdef
   pg_trigger_depth repeat replace sha256 split_part strpos substring texteq textregexeq timestamptz_ge timestamptz_le
   timestamptz_lt uuid_eq`.split(/\s+/),
);

/** Names of what was read, for facts. */
interface Names {
  readonly types: Map<number, string>;
  readonly functions: Map<number, string>;
}

/**
 * What PostgreSQL itself came with and guards are made of: types, functions, operators, casts, aggregates, languages. Whoever
 * replaces one of them deceives everything that uses it. Facts are those of PostgreSQL 18.
 */
export async function readPostgres(client: ClientBase): Promise<readonly GuardFact[]> {
  const facts: GuardFact[] = [];
  const found: Found = (fact, object = OBJECT) => facts.push(closed(object, fact));
  const names: Names = { types: new Map(), functions: new Map() };
  for (const name of await readDisplaced(client)) found(`${name} is another relation than the catalog`);
  await readTypes(client, names, found);
  await readFunctions(client, names, found);
  await readOperators(client, names, found);
  await readCasts(client, names, found);
  await readAggregates(client, names, found);
  await readFamilies(client, found);
  return facts;
}

type Found = (fact: string, object?: string) => void;

const typeName = ({ types }: Names, oid: number) => types.get(oid) ?? "none";
const functionName = ({ functions }: Names, oid: number) =>
  oid === 0 ? "nothing" : (functions.get(oid) ?? `function ${oid}`);

async function readTypes(client: ClientBase, names: Names, found: Found): Promise<void> {
  const digest = await readShipped(client, {
    table: "pg_type",
    columns:
      "oid, typnamespace, typelem, typname, typtype, typowner, typlen, typbasetype, typinput, typoutput, typreceive, typsend",
    onRow(oid, fields) {
      const [schema, element, name, kind] = [fields.oid(), fields.oid(), fields.text()!, fields.text()];
      names.types.set(oid, name);
      if (kind === "c") return false;
      // Each type has one of arrays, and initdb gives OIDs to those of what it makes.
      if (schema === PG_CATALOG && element === 0 && !inSource(oid)) found(`type ${identifier(name)}`);
      return oid < FIRST_GENERATED;
    },
  });
  found(`types ${digest}`);
}

async function readFunctions(client: ClientBase, names: Names, found: Found): Promise<void> {
  const languages = new Map<number, string>();
  const handlers: (() => void)[] = [];
  await readShipped(client, {
    table: "pg_language",
    columns: "oid, lanname, lanowner, lanispl, lanpltrusted, lanplcallfoid, laninline, lanvalidator",
    onRow(oid, fields) {
      const [name, owner, procedural, trusted] = [fields.text()!, fields.oid(), fields.bool(), fields.bool()];
      const calls = [fields.oid(), fields.oid(), fields.oid()];
      languages.set(oid, name);
      handlers.push(() =>
        found(
          words(
            procedural && "procedural",
            trusted && "trusted",
            `language calls ${calls.map((call) => functionName(names, call)).join(", ")}`,
            owner !== FIRST_SUPERUSER && "of another owner",
          ),
          `language ${identifier(name)}`,
        ),
      );
      return false;
    },
  });
  const digest = await readShipped(client, {
    table: "pg_proc",
    columns: `oid, pronamespace, prolang, proowner, prosupport, prosecdef, proconfig, proname, proargtypes, probin, prosrc, prokind,
              proisstrict, proleakproof, proretset, provolatile, prorettype, prosqlbody`,
    onRow(oid, fields) {
      const [schema, language, owner, support] = [fields.oid(), fields.oid(), fields.oid(), fields.oid()];
      const [definer, configured, name] = [fields.bool(), fields.text() !== null, fields.text()!];
      const compiled = schema === PG_CATALOG && inSource(oid) && (language === INTERNAL || language === C);
      const altered = owner !== FIRST_SUPERUSER || !inSource(support) || definer || configured;
      if (compiled && language === INTERNAL && !altered && !NAMED.has(name)) return true;
      const signature = `${identifier(name)}(${fields
        .oids()
        .map((type) => typeName(names, type))
        .join(",")})`;
      names.functions.set(oid, signature);
      if (schema !== PG_CATALOG) return false;
      const library = fields.text();
      // Conversions of encodings, most of them.
      if (compiled && language === C && !altered && library?.startsWith("$libdir/")) return true;
      const fact = words(
        `function ${signature} ${languages.get(language) ?? "in no language"}`,
        library,
        language === INTERNAL ? fields.text() : sha256(fields.rest()),
        owner !== FIRST_SUPERUSER && "of another owner",
        definer && "security definer",
        configured && "with settings of its own",
        !inSource(support) && `planned by ${functionName(names, support)}`,
      );
      found(fact);
      return compiled;
    },
  });
  found(`compiled functions ${digest}`);
  for (const tell of handlers) tell();
}

async function readOperators(client: ClientBase, names: Names, found: Found): Promise<void> {
  const digest = await readShipped(client, {
    table: "pg_operator",
    columns:
      "oid, oprnamespace, oprcode, oprleft, oprright, oprname, oprresult, oprowner, oprcom, oprnegate, oprrest, oprjoin",
    onRow(oid, fields) {
      const [schema, code] = [fields.oid(), fields.oid()];
      if (schema === PG_CATALOG && !(inSource(oid) && inSource(code))) {
        const [left, right] = [typeName(names, fields.oid()), typeName(names, fields.oid())];
        found(`operator ${fields.text()}(${left},${right}) executes ${functionName(names, code)}`);
      }
      return inSource(oid);
    },
  });
  found(`operators ${digest}`);
}

async function readCasts(client: ClientBase, names: Names, found: Found): Promise<void> {
  const digest = await readShipped(client, {
    table: "pg_cast",
    columns: "oid, castfunc, castsource, casttarget, castcontext, castmethod",
    onRow(oid, fields) {
      const call = fields.oid();
      if (!(inSource(oid) && inSource(call))) {
        const [source, target] = [typeName(names, fields.oid()), typeName(names, fields.oid())];
        found(`cast from ${source} to ${target} by ${functionName(names, call)}`);
      }
      return inSource(oid);
    },
  });
  found(`casts ${digest}`);
}

async function readAggregates(client: ClientBase, names: Names, found: Found): Promise<void> {
  const digest = await readShipped(client, {
    table: "pg_aggregate",
    columns:
      "aggfnoid, aggtransfn, aggfinalfn, aggcombinefn, aggmtransfn, aggsortop, aggtranstype, aggkind, agginitval",
    onRow(oid, fields) {
      const calls = [fields.oid(), fields.oid()];
      if (inSource(oid) && !calls.every(inSource)) {
        found(`aggregate ${oid} calls ${calls.map((call) => functionName(names, call)).join(", ")}`);
      }
      return inSource(oid);
    },
  });
  found(`aggregates ${digest}`);
}

/** What indexes, sorting and grouping compare and hash with. */
const FAMILIES = {
  pg_opclass: "oid, opcfamily, opcmethod, opcname, opcnamespace, opcintype, opcdefault, opckeytype",
  pg_amop: "oid, amopfamily, amopmethod, amoplefttype, amoprighttype, amopstrategy, amoppurpose, amopopr",
  pg_amproc: "oid, amprocfamily, amproclefttype, amprocrighttype, amprocnum, amproc",
} as const;

async function readFamilies(client: ClientBase, found: Found): Promise<void> {
  for (const [table, columns] of Object.entries(FAMILIES)) {
    let added = 0;
    const onRow = (oid: number, fields: Fields) => {
      if (!inSource(oid) && inSource(fields.oid())) added += 1;
      return inSource(oid);
    };
    const digest = await readShipped(client, { table, columns, onRow });
    found(`${table} ${digest}`);
    if (added > 0) found(`${table} with ${added} more in families of PostgreSQL`);
  }
}
