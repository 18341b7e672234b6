import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createPool } from "../../../src/db/pool.ts";
import { createUsedOnce, deleteOver, type Use } from "../../../src/domain/identity/used-once.ts";
import { LedgerUnavailableError } from "../../../src/ledger/errors.ts";
import { silent } from "../../support/log.ts";
import { useDatabase } from "./use-database.ts";

const db = useDatabase();
const seconds = () => Date.now() / 1_000;
const fresh = (change: Partial<Use> = {}): Use => ({
  scope: `proof ${randomUUID()}`,
  holder: "key",
  id: randomUUID(),
  until: seconds() + 60,
  ...change,
});
const rowsOf = async (scope: string) =>
  (await db.query("SELECT FROM oc_work.used_once WHERE scope = $1", [scope])).rowCount;
/** As if so many seconds had passed for what is remembered of a scope. */
const age = (scope: string, by: number) =>
  db.query("UPDATE oc_work.used_once SET expires_at = expires_at - make_interval(secs => $2) WHERE scope = $1", [
    scope,
    by,
  ]);

describe("what may be used once", () => {
  it("is accepted by one of many servers that ask at once", async () => {
    const servers = Array.from({ length: 8 }, () => createUsedOnce({ db }));
    const uses = Array.from({ length: 20 }, () => fresh());
    const asked = servers.flatMap((server, n) =>
      (n % 2 === 0 ? uses : uses.toReversed()).map(async (use) => [use.id, await server.use(use)] as const),
    );
    const answers = await Promise.all(asked);
    for (const { id } of uses) {
      const ofOne = answers.flatMap(([of, used]) => (of === id ? [used] : [])).sort();
      expect(ofOne).toEqual(["FIRST", ...new Array<string>(7).fill("USED")]);
    }
  });

  it("is another thing in another scope, of another holder, with another id", async () => {
    const server = createUsedOnce({ db });
    const use = fresh();
    const others = [use, { ...use, scope: `${use.scope}x` }, { ...use, holder: "other" }, { ...use, id: "\0 \ud800" }];
    expect(await Promise.all(others.map(server.use))).toEqual(["FIRST", "FIRST", "FIRST", "FIRST"]);
    expect(await Promise.all(others.map(server.use))).toEqual(["USED", "USED", "USED", "USED"]);
  });

  it("is over by the clock of the database, whatever the server believes", async () => {
    const server = createUsedOnce({ db });
    expect(await server.use(fresh({ until: seconds() - 90 }))).toBe("OVER");
    // Within a minute clocks may differ, and it is remembered all the same.
    const late = fresh({ until: seconds() - 30 });
    expect([await server.use(late), await server.use(late)]).toEqual(["FIRST", "USED"]);
  });

  it("may come again with a later end once it is over", async () => {
    const server = createUsedOnce({ db });
    const use = fresh();
    expect(await server.use(use)).toBe("FIRST");
    await age(use.scope, 300);
    expect([await server.use(use), await server.use(use)]).toEqual(["FIRST", "USED"]);
  });

  it("is refused when its statement waited until what kept it out was deleted as over", async () => {
    const use = fresh({ until: seconds() - 58 });
    const blocker = await db.connect();
    try {
      await blocker.query("BEGIN");
      await blocker.query("LOCK TABLE oc_work.used_once IN EXCLUSIVE MODE");
      const waiting = createUsedOnce({ db }).use(use);
      await expect
        .poll(async () => (await blocker.query("SELECT FROM pg_locks WHERE NOT granted")).rowCount)
        .toBeGreaterThan(0);
      await blocker.query("SELECT pg_sleep(greatest(0, $1 - extract(epoch FROM clock_timestamp()) + 0.05))", [
        use.until + 60,
      ]);
      await blocker.query("COMMIT");
      expect(await waiting).toBe("OVER");
    } finally {
      blocker.release();
    }
  });

  it("is refused when a capacity is used up, for a holder and in all, until some is over and deleted", async () => {
    const scope = `proof ${randomUUID()}`;
    const server = createUsedOnce({ db, capacity: { scope: 3, holder: 2 }, counted: 1 });
    const by = (holder: string) => server.use(fresh({ scope, holder }));
    expect([await by("a"), await by("a"), await by("a")]).toEqual(["FIRST", "FIRST", "FULL"]);
    expect([await by("b"), await by("c")]).toEqual(["FIRST", "FULL"]);
    // Another server counts the same rows.
    expect(await createUsedOnce({ db, capacity: { scope: 3, holder: 2 } }).use(fresh({ scope, holder: "d" }))).toBe(
      "FULL",
    );
    expect(await rowsOf(scope)).toBe(3);
    await age(scope, 300);
    while (await deleteOver(db, 2));
    expect(await rowsOf(scope)).toBe(0);
    await expect.poll(() => by("a"), { timeout: 20_000 }).toBe("FIRST");
  });

  it("never exceeds a capacity when many come at once", async () => {
    const scope = `proof ${randomUUID()}`;
    const server = createUsedOnce({ db, capacity: { scope: 10, holder: 10 } });
    const used = await Promise.all(Array.from({ length: 50 }, () => server.use(fresh({ scope }))));
    expect(used.filter((one) => one === "FIRST")).toHaveLength(10);
    expect(used.filter((one) => one === "FULL")).toHaveLength(40);
  });

  it("can be forgotten when it came to nothing", async () => {
    const server = createUsedOnce({ db });
    const use = fresh();
    expect(await server.use(use)).toBe("FIRST");
    await server.forget(use);
    expect([await server.use(use), await server.use(use)]).toEqual(["FIRST", "USED"]);
  });

  it("is refused while the database is out of reach, and the next one is not", async () => {
    const nowhere = createPool({
      connectionString: "postgres://nobody@127.0.0.1:1/none",
      max: 1,
      applicationName: "test",
      log: silent,
    });
    try {
      const server = createUsedOnce({ db: nowhere });
      await expect(server.use(fresh())).rejects.toThrow(LedgerUnavailableError);
      await expect(server.use(fresh())).rejects.toThrow(LedgerUnavailableError);
    } finally {
      await nowhere.end();
    }
  });
});

it("the rows are the server's alone", async () => {
  for (const role of ["oc_auditor", "oc_bi", "oc_reporting"]) {
    const may = await db.query(
      "SELECT has_table_privilege($1, 'oc_work.used_once', 'SELECT') AND has_schema_privilege($1, 'oc_work', 'USAGE') AS may",
      [role],
    );
    expect([role, may.rows]).toEqual([role, [{ may: false }]]);
  }
});
