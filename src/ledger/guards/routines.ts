import {
  closed,
  firing,
  GRANT,
  type Grant,
  type GuardFact,
  grantFact,
  grantsIn,
  identifier,
  ownerIn,
  type ReadRows,
  sha256,
  words,
} from "./fact.ts";

interface RoutineRow {
  readonly oid: number;
  readonly object: string;
  readonly kind: string;
  readonly language: string;
  readonly owner: string;
  readonly definer: boolean;
  readonly result: string | null;
  readonly volatility: string;
  readonly strict: boolean;
  readonly leakproof: boolean;
  readonly step: string | null;
  readonly support: string | null;
  readonly settings: readonly string[] | null;
  readonly source: string;
  readonly body: string | null;
  readonly objectFile: string | null;
}

const OURS = "(n.nspname IN ('oc_guard', 'oc_work', 'oc_bi') OR (n.nspname = 'public' AND p.proname LIKE 'oc\\_%'))";

const ROUTINES = `
  SELECT p.oid, p.oid::pg_catalog.regprocedure::pg_catalog.text AS object, p.prokind AS kind, l.lanname AS language,
         ${ownerIn("o")} AS owner, p.prosecdef AS definer, pg_catalog.pg_get_function_result(p.oid) AS result,
         p.provolatile AS volatility, p.proisstrict AS strict, p.proleakproof AS leakproof,
         a.aggtransfn::pg_catalog.regprocedure::pg_catalog.text AS step,
         CASE WHEN p.prosupport <> 0 THEN p.prosupport::pg_catalog.text END AS support, p.proconfig AS settings,
         p.prosrc AS source, pg_catalog.pg_get_function_sqlbody(p.oid) AS body, p.probin AS "objectFile"
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    JOIN pg_catalog.pg_roles o ON o.oid = p.proowner
    LEFT JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid
   WHERE ${OURS}`;

const GRANTS = `
  SELECT p.oid, ${GRANT}
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    ${grantsIn("coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))", "p.proowner")} AND ${OURS}`;

const KINDS: Readonly<Record<string, string>> = { f: "function", p: "procedure", a: "aggregate", w: "window function" };

/** Facts about the functions of the ledger: the body as a hash, everything that decides what it does, and who may call it. */
export async function readRoutines(read: ReadRows): Promise<readonly GuardFact[]> {
  const [routines, grantRows] = await read<[RoutineRow, Grant & { readonly oid: number }]>(ROUTINES, GRANTS);
  const grants = Map.groupBy(grantRows, ({ oid }) => oid);
  return routines.flatMap((routine) => [
    closed(routine.object, routineFact(routine)),
    ...(grants.get(routine.oid) ?? []).map((grant) => closed(routine.object, grantFact(grant))),
  ]);
}

function routineFact(routine: RoutineRow): string {
  return words(
    KINDS[routine.kind],
    routine.language,
    `owner ${routine.owner}`,
    routine.definer && "security definer",
    routine.result !== null && `returns ${routine.result}`,
    `volatility ${routine.volatility}`,
    routine.strict && "strict",
    routine.leakproof && "leakproof",
    routine.step !== null && `step ${routine.step}`,
    routine.support !== null && `planned by ${routine.support}`,
    ...(routine.settings ?? []).map((setting) => `set ${setting}`),
    sha256(routine.body ?? routine.source, routine.objectFile ?? ""),
  );
}

interface EventTriggerRow {
  readonly name: string;
  readonly state: string;
  readonly event: string;
  readonly executes: string;
  readonly owner: string;
  readonly tags: readonly string[] | null;
}

const EVENT_TRIGGERS = `
  SELECT e.evtname AS name, e.evtenabled AS state, e.evtevent AS event,
         e.evtfoid::pg_catalog.regprocedure::pg_catalog.text AS executes, ${ownerIn("o")} AS owner, e.evttags AS tags
    FROM pg_catalog.pg_event_trigger e JOIN pg_catalog.pg_roles o ON o.oid = e.evtowner`;

/** Facts about all event triggers of the database: each of them can change what any other command does. */
export async function readEventTriggers(read: ReadRows): Promise<readonly GuardFact[]> {
  const [rows] = await read<[EventTriggerRow]>(EVENT_TRIGGERS);
  return rows.map(({ name, state, event, executes, owner, tags }) =>
    closed(
      `event trigger ${identifier(name)}`,
      words(
        `event trigger ${firing(state)} on ${event} executes ${executes} owner ${owner}`,
        tags !== null && `for ${tags.join(", ")}`,
      ),
    ),
  );
}
