import { afterAll, beforeAll, expect, it } from "vitest";
import { verifyLedger } from "../../support/ledgers.ts";
import { calling } from "../support.ts";
import {
  createDirectoryWorld,
  createOrganization,
  type DirectoryWorld,
  type Server,
  seeing,
  signedIn,
} from "./world.ts";

let world: DirectoryWorld;
let servers: readonly Server[];

beforeAll(async () => {
  world = await createDirectoryWorld();
  servers = [await world.server(), await world.server()];
});
afterAll(() => world.close());

const server = (n: number) => servers[n % servers.length]!;
async function counted(works: readonly Promise<unknown>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const outcome of await Promise.allSettled(works)) {
    const code =
      outcome.status === "fulfilled" ? "OK" : String((outcome.reason as { code?: string }).code ?? outcome.reason);
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
}
const many = <Value>(make: (n: number) => Value) => Array.from({ length: 64 }, (_, n) => make(n));
const reason = "a test";

it("takes 64 changes of different principals at once, on two servers", async () => {
  const { root, ledger } = createOrganization();
  await seeing(server(0), root.principal);
  const invite = (n: number) =>
    server(n).directory.inviteAgent(root, { agentId: `bot-${n}`, displayName: "Bot", ownerId: "root" });
  expect(await counted(many(invite))).toEqual({ OK: 64 });
  const suspend = (n: number) => server(n + 1).directory.suspendPrincipal(root, { principalId: `bot-${n}`, reason });
  expect(await counted(many(suspend))).toEqual({ OK: 64 });
  expect((await verifyLedger(server(0).pool, ledger)).verdict).toBe("INTACT");
});

it("takes one of 64 equal changes at once, on two servers, and leaves one state", async () => {
  const { root, ledger } = createOrganization();
  await seeing(server(0), root.principal);
  const invite = (n: number) =>
    server(n).directory.inviteAgent(root, { agentId: "bot", displayName: "Bot", ownerId: "root" });
  expect(await counted(many(invite))).toEqual({ OK: 1, ALREADY_EXISTS: 63 });
  const turn = (n: number) =>
    n % 4 < 2
      ? server(n).directory.suspendPrincipal(root, { principalId: "mia", reason })
      : server(n).directory.reinstatePrincipal(root, { principalId: "mia", reason });
  const turned = await counted(many(turn));
  expect(Object.keys(turned).filter((code) => !["OK", "ALREADY_SUSPENDED", "NOT_SUSPENDED"].includes(code))).toEqual(
    [],
  );
  expect(turned.OK).toBeGreaterThan(0);
  const rows = await server(0).pool.query<{ version: number; suspended: boolean }>(
    "SELECT version, (state ->> 'suspended')::boolean AS suspended FROM oc_state WHERE ledger = $1 AND kind = 'PRINCIPAL' AND id = 'mia'",
    [ledger],
  );
  expect(rows.rows[0]?.version).toBe(turned.OK);
  expect(rows.rows[0]?.suspended).toBe((turned.OK ?? 0) % 2 === 1);
  expect((await verifyLedger(server(0).pool, ledger)).verdict).toBe("INTACT");
});

it("has an administrator left when 16 demote each other in a ring, on two servers", async () => {
  const { root, name, person } = createOrganization();
  const ids = Array.from({ length: 16 }, (_, n) => `admin-${n}`);
  for (const principalId of ids) await server(0).directory.setPrincipalRoles(root, { principalId, roles: ["admin"] });
  const callers = await Promise.all(
    ids.map(async (id) => calling((await server(0).directory.admit(signedIn(person(id)))).principal)),
  );
  const demoted = callers.map((caller, n) =>
    server(n).directory.setPrincipalRoles(caller, { principalId: ids[(n + 1) % 16]!, roles: [] }),
  );
  await Promise.allSettled(demoted);
  const { rows } = await server(0).pool.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM oc_state WHERE ledger = $1 AND kind = 'PRINCIPAL' AND state @> '{"roles":["admin"]}'`,
    [`${name}/eu`],
  );
  expect(rows[0]?.n).toBeGreaterThan(0);
});
