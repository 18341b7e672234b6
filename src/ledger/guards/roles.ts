import { closed, type GuardFact, identifier, type ReadRows, sha256, words } from "./fact.ts";

interface Role {
  readonly oid: number;
  readonly name: string;
  readonly superuser: boolean;
  readonly login: boolean;
  readonly bypass: boolean;
  readonly creates: boolean;
  readonly replicates: boolean;
}

interface Membership {
  readonly member: number;
  readonly role: number;
  readonly admin: boolean;
}

/** How one role is a member of another: directly, or through others, which are named. */
interface Route {
  readonly through: readonly string[];
  /** Whether a direct member may pass the membership on. */
  readonly admin: boolean;
}

/** pg_roles is a view; its definition is a fact of its own. */
const ROLES = `
  SELECT r.oid, r.rolname AS name, r.rolsuper AS superuser, r.rolcanlogin AS login, r.rolbypassrls AS bypass,
         r.rolcreaterole AS creates, r.rolreplication AS replicates
    FROM pg_catalog.pg_roles r`;
const MEMBERSHIPS = "SELECT member, roleid AS role, admin_option AS admin FROM pg_catalog.pg_auth_members";
/** The views of PostgreSQL that facts are read through. */
const VIEWS = `
  SELECT c.relname AS name, pg_catalog.pg_get_ruledef(w.oid) AS definition
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_rewrite w ON w.ev_class = c.oid
   WHERE n.nspname = 'pg_catalog' AND c.relname IN ('pg_roles', 'pg_settings')`;

/** The superuser of initdb. */
const FIRST_SUPERUSER = 10;
const OURS = ["oc_owner", "oc_app", "oc_auditor", "oc_bi", "oc_reporting"];
/** Nobody logs in as these. */
const NO_LOGIN = ["oc_owner", "oc_reporting"];
/** Roles of PostgreSQL itself that reach around privileges. */
const POWERS = [
  "pg_read_all_data",
  "pg_write_all_data",
  "pg_maintain",
  "pg_execute_server_program",
  "pg_read_server_files",
  "pg_write_server_files",
];

export interface Roles {
  readonly facts: readonly GuardFact[];
  /** OIDs of roles in which the ledger's statements may run: superusers, the ledger's roles, their members. */
  readonly concerned: ReadonlySet<number>;
}

/** Facts about who can act as whom, by closure. What a superuser may do needs no membership: that there is one is the fact. */
export async function readRoles(read: ReadRows): Promise<Roles> {
  const [roleRows, membershipRows, views] = await read<[Role, Membership, { name: string; definition: string }]>(
    ROLES,
    MEMBERSHIPS,
    VIEWS,
  );
  const roles = new Map(roleRows.map((role) => [role.oid, role]));
  const memberships = Map.groupBy(membershipRows, ({ member }) => member);
  const concerned = new Set<number>();
  const facts = views.map(({ name, definition }) => closed("pg_catalog", `view ${name} ${sha256(definition)}`));
  for (const role of roles.values()) {
    const routes = routesFrom(role, roles, memberships);
    const isOurs = OURS.includes(role.name);
    const isMember = [...routes.keys()].some(({ name }) => OURS.includes(name));
    if (isOurs || isMember || role.superuser) concerned.add(role.oid);
    // A role that nobody can log in as matters through its members.
    if (!isOurs && !role.login) continue;
    const its = [...powersOf(role, isOurs, isMember), ...(role.superuser ? [] : membershipsOf(isOurs, routes))];
    facts.push(...its.map((fact) => closed(`role ${identifier(role.name)}`, fact)));
  }
  return { facts, concerned };
}

/** All roles that `role` is a member of, each by the shortest route. */
function routesFrom(
  role: Role,
  roles: ReadonlyMap<number, Role>,
  memberships: ReadonlyMap<number, readonly Membership[]>,
): ReadonlyMap<Role, Route> {
  const routes = new Map<Role, Route>();
  const reached: { readonly from: Role; readonly through: readonly string[] }[] = [{ from: role, through: [] }];
  // An array is iterated over what is added meanwhile, too.
  for (const { from, through } of reached) {
    for (const { role: oid, admin } of memberships.get(from.oid) ?? []) {
      const next = roles.get(oid);
      if (next === undefined || next === role) continue;
      const known = routes.get(next);
      if (known === undefined) reached.push({ from: next, through: [...through, next.name] });
      // A membership may have been granted by several, each with options of its own.
      if (known === undefined || (from === role && admin)) routes.set(next, { through, admin: from === role && admin });
    }
  }
  return routes;
}

function powersOf(role: Role, isOurs: boolean, isMember: boolean): readonly string[] {
  if (role.superuser) return role.oid === FIRST_SUPERUSER ? [] : ["is a superuser"];
  const powers = [
    role.bypass && (isOurs || isMember) && "bypasses row-level security",
    role.creates && isOurs && "may create roles",
    role.replicates && "may replicate",
    role.login && NO_LOGIN.includes(role.name) && "may log in",
  ];
  return powers.filter((power) => power !== false);
}

/**
 * The memberships of a role that give it more than its purpose. A login is a direct member of oc_app (a pooler) or oc_auditor, or any
 * member of oc_bi, and of nothing else that matters; the ledger's own roles are members of nothing.
 */
function membershipsOf(isOurs: boolean, routes: ReadonlyMap<Role, Route>): readonly string[] {
  const all = [...routes].filter(
    ([{ name, superuser }]) => isOurs || superuser || OURS.includes(name) || POWERS.includes(name),
  );
  const usual = ([{ name }, { through, admin }]: (typeof all)[number]) =>
    !isOurs && !admin && (name === "oc_bi" || (through.length === 0 && (name === "oc_app" || name === "oc_auditor")));
  if (all.length === 1 && all.every(usual)) return [];
  return all.map(([{ name }, { through, admin }]) =>
    words(
      `member of ${identifier(name)}`,
      through.length > 0 && `through ${through.map(identifier).join(" and ")}`,
      admin && "with the right to grant it",
    ),
  );
}
