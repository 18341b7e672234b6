import { isInterfaceType, isObjectType, type OperationTypeNode } from "graphql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { schema } from "../../src/graphql/schema.ts";
import { codesOf, connect, dataOf, type Message, openSocket } from "../http/client.ts";
import { type Api, startApi } from "../http/harness.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts";
import { waitUntil } from "../support/wait.ts";
import type { Arguments } from "./access.areas.ts";
import { type Operation, PROBES, VARIABLES, variablesFor, variablesForNothing } from "./access.probes.ts";
import { ROLES, type Role, seedWorld, type World } from "./access.world.ts";
import { checkFound, type Heads, marksOf, type Probe, reachOf } from "./access-reach.ts";

/**
 * Walks the whole schema as each role and writes down what each can read: access.md, which is reviewed like code.
 * `npm test -- test/schema/access.server.test.ts -u` rewrites it.
 */
let database: TestDatabase;
let api: Api;
let world: World;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(database.appUrl, { heartbeat: 0.2 });
  world = await seedWorld(api);
  await waitUntil(() => api.services.directory.membersOf("acme", "blue").size === 3);
});

afterAll(async () => {
  await api?.close();
  await database?.drop();
});

const OPERATIONS: readonly Operation[] = ["query", "mutation", "subscription"];

function rootFields(operation: Operation) {
  return Object.values(schema.getRootType(operation as OperationTypeNode)?.getFields() ?? {});
}

/** What a row of the table is about. */
interface Row {
  readonly operation: Operation;
  readonly field: string;
  readonly variant: string;
  readonly probe: Probe;
}

const ROWS: readonly Row[] = OPERATIONS.flatMap((operation) =>
  Object.entries(PROBES[operation]).flatMap(([field, variants]) =>
    Object.entries(variants).map(([variant, probe]) => ({ operation, field, variant, probe })),
  ),
);

/** Fields that wait for a turn with the connection that they read by: of all roles at once, they would leave none to others. */
const HOLDS_SNAPSHOT: ReadonlySet<string> = new Set(["simulatePolicy"]);

/** Codes of errors, and of user errors, that mean that the field is not for this caller at all. */
const REFUSALS: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: "sign in",
  FORBIDDEN: "forbidden",
  ADMINISTRATORS_ONLY: "forbidden",
  HUMANS_ONLY: "forbidden",
  REGION_ELSEWHERE: "elsewhere",
};

/** What one call told: text to look for traces in, or the one code it was refused with. */
type Told = { readonly text: string; readonly refusal?: undefined } | { readonly refusal: string };

function toldBy(where: string, data: unknown, codes: readonly string[]): Told {
  const [code] = codes;
  // What a query does not find is told by an error.
  if (code === undefined || code === "NOT_FOUND") return { text: JSON.stringify(data) };
  const refusal = REFUSALS[code];
  if (refusal === undefined)
    throw new Error(`${where} was answered ${code}: are its arguments in access.probes.ts valid?`);
  return { refusal };
}

function documentOf({ operation, probe }: Row): string {
  // Only what is used may be declared.
  const used = Object.entries(VARIABLES).filter(([name]) => new RegExp(`\\$${name}\\b`).test(probe.call));
  const declared = used.map(([name, type]) => `$${name}:${type}`);
  return `${operation}${declared.length === 0 ? "" : `(${declared.join(",")})`}{${probe.call}}`;
}

async function ask(row: Row, role: Role, variables: Arguments): Promise<Told> {
  const token = world.token(role);
  type Refused = { readonly userErrors?: readonly { readonly code: string }[] };
  type Data = Readonly<Record<string, (Refused & { readonly results?: readonly Refused[] }) | null>> | null;
  const options = token === undefined ? {} : { token };
  const { data, errors } = await api.gql<Data>(documentOf(row), variables, options);
  const codes = (errors ?? []).map(({ extensions }) => extensions.code);
  const answer = data?.[row.field];
  const refused = [answer, ...(answer?.results ?? [])].flatMap((each) => each?.userErrors ?? []);
  const refusals = refused.filter(({ code }) => code in REFUSALS);
  return toldBy(`${row.field} as ${role}`, data, [...codes, ...refusals.map(({ code }) => code)]);
}

/** Heartbeats behind everything there was to tell, after which nothing more is waited for. */
const BEATS = 3;

/** Everything a subscription from the beginning of the ledger tells. */
async function follow(row: Row, role: Role, variables: Arguments): Promise<Told> {
  const token = world.token(role);
  if (token === undefined) {
    const client = await openSocket(api.wsUrl);
    client.send({ type: "connection_init" });
    expect((await client.closed).code).toBe(4403);
    return { refusal: "sign in" };
  }
  const { data } = await api.gql<{ ledger: { head: { seq: string } } } | null>("{ledger{head{seq}}}", {}, { token });
  // Without the ledger there are no heartbeats to wait for: what is tried has to end by itself.
  const head = BigInt(data?.ledger.head.seq ?? 0);
  const client = await connect(api.wsUrl, token);
  const subscribe = (id: string, payload: object) => client.send({ type: "subscribe", id, payload });
  subscribe("probe", { query: documentOf(row), variables });
  // Has heartbeats, also where the probe has none.
  subscribe("beats", { query: 'subscription{pendingApprovals(after:"0"){cursor change action{id}}}' });
  const ofProbe = () => client.messages.filter(({ id, type }) => id === "probe" && type !== "complete");
  const isOver = () =>
    ofProbe().some((message) => codesOf(message).length > 0) ||
    (beatsOf(client.messages, "beats", head) >= BEATS &&
      (row.probe.how === "each" || beatsOf(client.messages, "probe", head) >= BEATS));
  await client.next(isOver);
  client.socket.close();
  await client.closed;
  const told = ofProbe();
  return toldBy(`${row.field} as ${role}`, told, told.flatMap(codesOf));
}

/** Heartbeats of a subscription that name a position at or behind `head`. */
function beatsOf(messages: readonly Message[], of: string, head: bigint): number {
  type Event = Readonly<
    Record<string, { readonly cursor?: string; readonly action?: object; readonly entry?: object }>
  >;
  return messages.filter((message) => {
    if (message.id !== of || message.type !== "next") return false;
    const [event] = Object.values(dataOf<Event | null>(message) ?? {});
    if (event === undefined || (event.action ?? event.entry ?? null) !== null) return false;
    // Without a position, each event says how things are now.
    return event.cursor === undefined || BigInt(event.cursor) >= head;
  }).length;
}

/** Where the ledgers end, as seen from `role`. */
async function headsFor(role: Role): Promise<Heads> {
  const { rows } = await api.services.pool.query<{ ledger: string; hash: string }>(
    "SELECT ledger, encode(hash, 'hex') AS hash FROM oc_ledger_head",
  );
  const own = role === "outsider" ? "globex/eu" : "acme/eu";
  return {
    ledger: own,
    own: rows.find(({ ledger }) => ledger === own)?.hash ?? "",
    others: rows.flatMap(({ ledger, hash }) => (ledger === own ? [] : [hash])),
  };
}

async function reached(row: Row, role: Role): Promise<string> {
  const traces = world.traces(role);
  const tell = row.operation === "subscription" ? follow : ask;
  const all = [...traces];
  const tried = row.probe.how === "each" ? all : all.slice(0, 1);
  const told: Told[] = [];
  for (const [, target] of tried) told.push(await tell(row, role, variablesFor(target)));
  const refusals = new Set(told.map(({ refusal }) => refusal));
  if (refusals.size > 1) throw new Error(`${row.field} as ${role} is refused for some and not for others`);
  const [refusal] = refusals;
  if (refusal !== undefined) return refusal;
  const text = told.map((each) => (each.refusal === undefined ? each.text : "")).join("\n");
  return reachOf(row.probe, text, traces, await headsFor(role));
}

function scopeOf({ operation, field }: Row): string {
  const { extensions } = rootFields(operation).find(({ name }) => name === field) ?? {};
  const { authScopes } = (extensions?.pothosOptions ?? {}) as { readonly authScopes?: object };
  return Object.keys(authScopes ?? {}).join(", ");
}

describe("access", () => {
  it.each(OPERATIONS)("is tried at every root field of %s, and at none that is gone", (operation) => {
    const missing = rootFields(operation).filter(({ name }) => !Object.hasOwn(PROBES[operation], name));
    const where = `say in test/schema/access.probes.ts how the ${operation} is tried, and review access.md`;
    expect(
      missing.map(({ name }) => name),
      where,
    ).toEqual([]);
    const there = rootFields(operation).map(({ name }) => name);
    expect(Object.keys(PROBES[operation]).filter((name) => !there.includes(name))).toEqual([]);
  });

  it("is required by a scope at every root field", () => {
    const open = OPERATIONS.flatMap((operation) =>
      rootFields(operation).filter(({ name }) => scopeOf({ operation, field: name } as Row) === ""),
    );
    expect(open.map(({ name }) => name)).toEqual([]);
  });

  it("is tried for every type that node can return", () => {
    const node = schema.getType("Node");
    if (!isInterfaceType(node)) throw new Error("there is no Node");
    const types = schema.getPossibleTypes(node).filter(isObjectType);
    expect(Object.keys(PROBES.query.node ?? {}).sort()).toEqual(types.map(({ name }) => name).sort());
  });

  it("is documented in access.md: what each role can read by each root field", async () => {
    const rows: string[][] = [];
    // Mutations last: what they change does not change who sees it.
    for (const row of ROWS.toSorted(
      (a, b) => Number(a.operation === "mutation") - Number(b.operation === "mutation"),
    )) {
      const cells: string[] = [];
      for (const roles of HOLDS_SNAPSHOT.has(row.field) ? ROLES.map((role) => [role]) : [ROLES]) {
        cells.push(...(await Promise.all(roles.map((role) => reached(row, role)))));
      }
      const name = `${row.operation} ${row.field}${row.variant === "" ? "" : ` (${row.variant})`}`;
      if (row.operation !== "mutation") checkFound(name, cells, Object.values(REFUSALS));
      rows.push([name, scopeOf(row), ...cells]);
    }
    await expect(tableOf(rows)).toMatchFileSnapshot("access.md");
  }, 300_000);

  it("to what is hidden and to what does not exist is the same", async () => {
    const objects = ROWS.filter(({ operation, probe }) => operation !== "subscription" && probe.how === "each");
    expect(objects.length).toBeGreaterThan(10);
    for (const row of objects) await Promise.all(ROLES.map((role) => compareHidden(row, role)));
  }, 300_000);
});

async function compareHidden(row: Row, role: Role): Promise<void> {
  const nothing = await ask(row, role, variablesForNothing(role === "outsider" ? "globex/eu" : "acme/eu"));
  for (const [relation, traces] of world.traces(role)) {
    // What is the caller's own is never hidden from them, even where the answer is no.
    if (relation === "self" || relation === "own agent") continue;
    // A position is one of the caller's own ledger, whoever else has an entry there.
    if (row.variant === "by position" && relation === "other organization") continue;
    const told = await ask(row, role, variablesFor(traces));
    const hidden = told.refusal !== undefined || !marksOf(row.probe, traces).some((mark) => told.text.includes(mark));
    if (hidden) expect(told, `${row.field} as ${role} of ${relation}`).toEqual(nothing);
  }
}

const INTRODUCTION = `# Who can read what

What each role reaches by each root field, as found by trying: [access.server.test.ts](access.server.test.ts) does it again and fails for
any difference. Each call selects everything its type has, and what that leads to.

- \`own\`: what the caller did, and what agents did for them. \`team\`: also what members of a team they lead did, or agents
  for them. \`organization\`: everything of their organization. \`none\`: nothing, told like what does not exist.
- \`forbidden\`: the caller's roles do not allow the field. \`sign in\`: it asks for a token.
- \`elsewhere\`: it is about a region that the roles of the caller leave out.
- \`self\` and the like, where it is none of these: exactly those.
- For a mutation: whom the answer shows anything of, whether or not it was done. They are tried with inputs that change
  nothing, or only what is the caller's own.
- \`agent\` acts for the member; \`agent claiming every role\` does too, with a token that names every role there is. The
  lead, the member and one more person are in one team. \`approver by group\` is in the group that policy asks, and has no
  role. \`outsider\` has every role of another organization. \`limited\` has every role of this one, and one that limits them to
  another region than that of the ledger: they left what they did before they were.
`;

function tableOf(rows: readonly (readonly string[])[]): string {
  const head = ["root field", "scope", ...ROLES];
  const widths = head.map((name, at) => Math.max(name.length, ...rows.map((row) => (row[at] ?? "").length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return `${INTRODUCTION}\n${[line(head), rule, ...rows.map(line)].join("\n")}\n`;
}
