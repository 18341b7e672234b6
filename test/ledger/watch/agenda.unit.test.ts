import { describe, expect, it } from "vitest";
import { Agenda } from "../../../src/ledger/watch/agenda.ts";

describe("Agenda", () => {
  const never = new AbortController().signal;

  it("collects what a ledger gets for a while, and then takes ledgers in turn with ends that are due", async () => {
    const agenda = new Agenda();
    agenda.addGrown("a/eu");
    agenda.addGrown("b/eu");
    agenda.addGrown("a/eu");
    expect(agenda.take()).toBeUndefined();
    await agenda.wait(60_000, never);
    for (const ledger of ["c/eu", "d/eu"] as const) agenda.addTail(ledger);
    expect(agenda.length).toBe(4);
    const taken: unknown[] = [];
    while (agenda.length > 0) {
      const next = agenda.take();
      if (next === undefined) await agenda.wait(60_000, never);
      else taken.push(`${next.what} ${next.ledger}`);
    }
    expect(taken).toEqual(["grown a/eu", "tail c/eu", "grown b/eu", "tail d/eu"]);
  });

  it("wakes up for a ledger that has grown, and when it is stopped", async () => {
    const agenda = new Agenda();
    const waiting = agenda.wait(60_000, never);
    agenda.addGrown("a/eu");
    await waiting;
    const stopped = new AbortController();
    const other = new Agenda().wait(60_000, stopped.signal);
    stopped.abort();
    await other;
  });
});
