import { describe, expect, it } from "vitest";
import { BusyError, createTurns, shareOf } from "../../src/db/turns.ts";

const options = { at: 2, perOrganization: 1, waitingPerPrincipal: 3, maxWaitMs: 60_000 };

/** Takes a turn, and notes `name` when it has come. */
function noted(began: string[], name: string, turn: Promise<() => void>): Promise<() => void> {
  return turn.then((end) => {
    began.push(name);
    return end;
  });
}

describe("turns", () => {
  it("leave one for others, however many of one organization wait", async () => {
    const turns = createTurns(options);
    const end = await turns.take("a", "p");
    const began: string[] = [];
    const waiting = [1, 2, 3].map((at) => noted(began, `a${at}`, turns.take("a", "p")));
    (await noted(began, "b", turns.take("b", "p")))();
    expect(began).toEqual(["b"]);
    end();
    for (const each of waiting) (await each)();
    expect(began).toEqual(["b", "a1", "a2", "a3"]);
  });

  it("go round by organization, and by principal within one", async () => {
    const turns = createTurns({ ...options, at: 1 });
    const end = await turns.take("a", "first");
    const began: string[] = [];
    const waiting = [
      noted(began, "a hostile 1", turns.take("a", "hostile")),
      noted(began, "a hostile 2", turns.take("a", "hostile")),
      noted(began, "a hostile 3", turns.take("a", "hostile")),
      noted(began, "a honest", turns.take("a", "honest")),
      noted(began, "b 1", turns.take("b", "p")),
      noted(began, "b 2", turns.take("b", "p")),
    ];
    end();
    await Promise.all(waiting.map(async (each) => (await each)()));
    expect(began).toEqual(["a hostile 1", "b 1", "a honest", "b 2", "a hostile 2", "a hostile 3"]);
  });

  it("are refused to a principal of whom too many wait, and to nobody else", async () => {
    const turns = createTurns(options);
    const end = await turns.take("a", "p");
    const waiting = [1, 2, 3].map(() => turns.take("a", "p"));
    await expect(turns.take("a", "p")).rejects.toThrow(BusyError);
    const other = turns.take("a", "q");
    (await turns.take("b", "p"))();
    end();
    end();
    await Promise.all([...waiting, other].map(async (each) => (await each)()));
    (await turns.take("a", "p"))();
  });

  it("are given up after a time, and leave nothing behind", async () => {
    const turns = createTurns({ ...options, maxWaitMs: 1 });
    const end = await turns.take("a", "p");
    await expect(turns.take("a", "p")).rejects.toMatchObject({ code: "RATE_LIMITED", retryAfterSeconds: 1 });
    end();
    (await turns.take("a", "p"))();
  });

  it("are three quarters for one organization, and never all of several", () => {
    expect([1, 2, 3, 4, 6, 8, 100].map(shareOf)).toEqual([1, 1, 2, 3, 4, 6, 75]);
  });
});
