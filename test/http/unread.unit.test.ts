import { describe, expect, it } from "vitest";
import { createUnread } from "../../src/http/unread.ts";

const KB = 1_024;

/** Holds pieces, and notes whose were dropped. */
function holding(limit: number) {
  const dropped: string[] = [];
  const unread = createUnread(limit * KB, () => {});
  const hold = (organization: string, id: string, kilobytes: number) =>
    unread.hold({ organization, id }, kilobytes * KB, () => dropped.push(`${organization}/${id} ${kilobytes}`));
  return { unread, hold, dropped };
}

describe("responses that wait for their readers", () => {
  it("are kept while there are not too many", () => {
    const { unread, hold, dropped } = holding(100);
    const releases = [hold("acme", "ada", 50), hold("globex", "bob", 50)];
    expect([unread.waiting(), dropped]).toEqual([100 * KB, []]);
    for (const release of releases) release();
    for (const release of releases) release();
    expect(unread.waiting()).toBe(0);
  });

  it("are dropped in the organization that has the most, of the reader that has the most, the largest first", () => {
    const { unread, hold, dropped } = holding(100);
    // Many readers of one organization, each with less than the one of another.
    for (let n = 0; n < 8; n++) hold("many", `m${n}`, 10);
    hold("many", "m0", 5);
    hold("honest", "ada", 20);
    expect(dropped).toEqual(["many/m0 10"]);
    expect(unread.waiting()).toBe(95 * KB);
    hold("honest", "ada", 10);
    expect(dropped).toHaveLength(2);
    expect(dropped[1]).toMatch(/^many\//);
  });

  it("that are larger than all that may wait are dropped themselves", () => {
    const { unread, hold, dropped } = holding(10);
    hold("acme", "ada", 11);
    expect([unread.waiting(), dropped]).toEqual([0, ["acme/ada 11"]]);
  });

  it("that are small are not counted", () => {
    const { unread, hold } = holding(10);
    hold("acme", "ada", 1);
    expect(unread.waiting()).toBe(0);
  });
});
