import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { createUsedOnce, type Use, type UsedOnce } from "../../../src/domain/identity/used-once.ts";
import { createUsedOnceElsewhere } from "../../../src/domain/identity/used-once-elsewhere.ts";
import { LedgerUnavailableError } from "../../../src/ledger/errors.ts";
import { waitUntil } from "../../support/wait.ts";
import { useDatabase } from "./use-database.ts";

const atHome = useDatabase();
const elsewhere = useDatabase();

const seconds = () => Math.floor(Date.now() / 1_000);
const made = (madeAt: number | undefined): Use => ({
  scope: `proof ${randomUUID()}`,
  holder: "key",
  id: randomUUID(),
  until: (madeAt ?? seconds()) + 60,
  madeAt,
});

const LOST = Object.assign(new Error("the connection was refused"), { code: "ECONNREFUSED" });

/** A home database that can be cut off. */
function createHome() {
  const real = createUsedOnce({ db: atHome });
  const state = { isDown: false };
  const when = <Result>(work: () => Promise<Result>) =>
    state.isDown ? Promise.reject(new LedgerUnavailableError("the database cannot be read now", 1, LOST)) : work();
  const home: UsedOnce = { use: (use) => when(() => real.use(use)), forget: (use) => when(() => real.forget(use)) };
  return { home, state };
}

const unavailable = { code: "LEDGER_UNAVAILABLE" };

it("is remembered in another region while the home database cannot be asked, if it was made since", async () => {
  const { home, state } = createHome();
  const usedOnce = createUsedOnceElsewhere({ home, elsewhere: () => [elsewhere] });
  const before = made(seconds() - 5);
  expect(await usedOnce.use(before)).toBe("FIRST");
  state.isDown = true;
  // It may have been used at home, by a client whose clock is ahead, too.
  for (const old of [made(seconds() - 5), made(seconds() + 50), made(undefined)]) {
    await expect(usedOnce.use(old)).rejects.toMatchObject(unavailable);
  }
  const later = made(seconds() + 70);
  expect(await usedOnce.use(later)).toBe("FIRST");
  expect(await usedOnce.use(later)).toBe("USED");
  await usedOnce.forget(later);
  expect(await usedOnce.use(later)).toBe("FIRST");
  // Afterwards it is still known that it was used.
  state.isDown = false;
  await waitUntil(async () => (await usedOnce.use(made(undefined)).catch(() => "REFUSED")) === "FIRST");
  expect(await usedOnce.use(later)).toBe("USED");
});

it("is asked at home again as soon as that can be done", async () => {
  const { home, state } = createHome();
  const usedOnce = createUsedOnceElsewhere({ home, elsewhere: () => [elsewhere] });
  state.isDown = true;
  await expect(usedOnce.use(made(undefined))).rejects.toMatchObject(unavailable);
  state.isDown = false;
  await waitUntil(async () => (await usedOnce.use(made(undefined)).catch(() => "REFUSED")) === "FIRST");
});

it("is not accepted where no other region can be asked either", async () => {
  const { home, state } = createHome();
  state.isDown = true;
  const usedOnce = createUsedOnceElsewhere({ home, elsewhere: () => [] });
  await expect(usedOnce.use(made(seconds() + 70))).rejects.toMatchObject(unavailable);
});
