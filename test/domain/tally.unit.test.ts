import { describe, expect, it } from "vitest";
import { createTally, type TallyCounts, UnrecordedCountsError } from "../../src/domain/tally.ts";

const LENGTH = 60_000;

/** A tally whose clock and failures the test sets; it writes into `written`. */
function scene(capacity = 10) {
  const written: string[] = [];
  const failures: string[] = [];
  const state = { now: 5 * LENGTH + 1, broken: false, gate: Promise.resolve() };
  const write = async (line: string) => {
    await state.gate;
    if (state.broken) throw new Error("away");
    written.push(line);
  };
  const told = ({ from, to, times, shown }: TallyCounts) =>
    `${from}-${to} ${[...times].map(([what, count]) => `${what}=${count}`).join(",")} ${shown}`;
  const tally = createTally<string>(
    {
      open: (subject, what, shown, from) => write(`open ${subject} ${what} ${shown} ${from}`),
      close: (subject, counts) => write(`close ${subject} ${told(counts)}`),
      onError: (_error, subject, counts) => void failures.push(`${subject} ${told(counts)}`),
    },
    { now: () => state.now, window: LENGTH, capacity },
  );
  const add = (subject: string, what = "read", shown = 1) => tally.add(subject, () => subject, what, shown);
  return { tally, add, written, failures, state };
}

describe("a tally", () => {
  it("records the first of a window at once and the others at the end, in one", async () => {
    const { tally, add, written } = scene();
    await add("mia", "auditEntries", 20);
    expect(written).toEqual(["open mia auditEntries 20 300000"]);
    await add("mia", "auditEntries", 20);
    await add("mia", "auditEntry", 1);
    await add("mia", "auditEntries", 7);
    expect(written).toHaveLength(1);
    await tally.stop();
    expect(written.slice(1)).toEqual(["close mia 300000-300001 auditEntries=2,auditEntry=1 28"]);
  });

  it("records nothing more of a subject that occurred once", async () => {
    const { tally, add, written } = scene();
    await add("mia");
    await add("noah");
    await tally.stop();
    expect(written).toEqual(["open mia read 1 300000", "open noah read 1 300000"]);
  });

  it("begins anew with the next window, and loses nothing of the one before", async () => {
    const { tally, add, written, state } = scene();
    await add("mia");
    await add("mia");
    state.now = 6 * LENGTH;
    await add("mia");
    await tally.stop();
    expect(written).toEqual(["open mia read 1 300000", "open mia read 1 360000", "close mia 300000-360000 read=1 1"]);
  });

  it("lets nobody go on before the first is recorded, and fails all who waited when it cannot be", async () => {
    const { tally, add, written, state } = scene();
    let open = (): void => undefined;
    state.gate = new Promise((resolve) => {
      open = resolve;
    });
    const order: string[] = [];
    const all = [add("mia"), add("mia"), add("mia")].map((done) =>
      done.then(
        () => void order.push("answered"),
        (error: unknown) => void order.push(String(error)),
      ),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual([]);
    state.broken = true;
    open();
    await Promise.all(all);
    expect(order).toEqual(Array.from({ length: 3 }, () => "Error: away"));
    state.broken = false;
    await add("mia");
    await tally.stop();
    expect(written).toEqual(["open mia read 1 300000"]);
  });

  it("counts callers that waited for the first", async () => {
    const { tally, add, written } = scene();
    await Promise.all(Array.from({ length: 5 }, () => add("mia", "read", 3)));
    await tally.stop();
    expect(written).toEqual(["open mia read 3 300000", "close mia 300000-300001 read=4 12"]);
  });

  it("records each by itself once it counts as many as it may, and after its end", async () => {
    const { tally, add, written } = scene(2);
    for (const subject of ["a", "b", "c", "c", "a"]) await add(subject);
    expect(written).toEqual(["a", "b", "c", "c"].map((subject) => `open ${subject} read 1 300000`));
    await tally.stop();
    await add("a");
    await add("a");
    expect(written.slice(4)).toEqual([
      "close a 300000-300001 read=1 1",
      "open a read 1 300000",
      "open a read 1 300000",
    ]);
  });

  it("keeps what it cannot record, reports it, and rejects at its end", async () => {
    const { tally, add, written, failures, state } = scene();
    await add("mia");
    await add("mia");
    state.broken = true;
    await expect(tally.stop()).rejects.toThrow(UnrecordedCountsError);
    expect(failures).toEqual(["mia 300000-300001 read=1 1", "mia 300000-300001 read=1 1"]);
    state.broken = false;
    await tally.stop();
    expect(written.slice(1)).toEqual(["close mia 300000-300001 read=1 1"]);
  });
});
