import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { createUsedOnce, type Use, type UsedOnce } from "../../../src/domain/identity/used-once.ts";
import { createUsedOnceElsewhere } from "../../../src/domain/identity/used-once-elsewhere.ts";
import { LedgerUnavailableError } from "../../../src/ledger/errors.ts";
import { waitUntil } from "../../support/wait.ts";
import { useDatabase } from "./use-database.ts";

/** One database stands for both regions: what is used in one has another scope than in the other. */
const db = useDatabase();

const seconds = () => Math.floor(Date.now() / 1_000);
const made = (madeAt: number | undefined): Use => ({
  scope: `proof ${randomUUID()}`,
  holder: "key",
  id: randomUUID(),
  until: seconds() + 60,
  madeAt,
});

/** A home database that can be cut off. */
function createHome() {
  const real = createUsedOnce({ db });
  const state = { isDown: false };
  const when = <Result>(work: () => Promise<Result>) =>
    state.isDown ? Promise.reject(new LedgerUnavailableError("the database cannot be read now", 1)) : work();
  const home: UsedOnce = { use: (use) => when(() => real.use(use)), forget: (use) => when(() => real.forget(use)) };
  return { home, state };
}

const unavailable = { code: "LEDGER_UNAVAILABLE" };

it("is remembered in another region while the home database cannot be asked, if it was made since", async () => {
  const { home, state } = createHome();
  const usedOnce = createUsedOnceElsewhere({ home, elsewhere: () => [db] });
  const before = made(seconds() - 5);
  expect(await usedOnce.use(before)).toBe("FIRST");
  state.isDown = true;
  // It may have been used at home.
  for (const old of [made(seconds() - 5), made(undefined)]) {
    await expect(usedOnce.use(old)).rejects.toMatchObject(unavailable);
  }
  const later = made(seconds() + 3);
  expect(await usedOnce.use(later)).toBe("FIRST");
  expect(await usedOnce.use(later)).toBe("USED");
  await usedOnce.forget(later);
  expect(await usedOnce.use(later)).toBe("FIRST");
});

it("is asked at home again as soon as that can be done", async () => {
  const { home, state } = createHome();
  const usedOnce = createUsedOnceElsewhere({ home, elsewhere: () => [db] });
  state.isDown = true;
  await expect(usedOnce.use(made(undefined))).rejects.toMatchObject(unavailable);
  state.isDown = false;
  await waitUntil(async () => (await usedOnce.use(made(undefined)).catch(() => "REFUSED")) === "FIRST");
});

it("is not accepted where no other region can be asked either", async () => {
  const { home, state } = createHome();
  state.isDown = true;
  const usedOnce = createUsedOnceElsewhere({ home, elsewhere: () => [] });
  await expect(usedOnce.use(made(seconds() + 3))).rejects.toMatchObject(unavailable);
});
