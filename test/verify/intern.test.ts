import { expect, it } from "vitest";
import { createIntern } from "../../src/verify/intern.ts";

it("returns the text of the bytes, also when the memory of earlier ones is used again", () => {
  // Enough that some share a place in the table of 4,096.
  const texts = Array.from({ length: 20_000 }, (_, n) => `agent-${String(n).padStart(5, "0")}`);
  for (const allocate of [Buffer.from, (text: string) => new TextEncoder().encode(text)]) {
    const intern = createIntern();
    for (const text of texts) {
      const memory = allocate("agent-start");
      intern(memory, 0, memory.length);
      memory.set(Buffer.from(text));
      if (intern(memory, 0, memory.length) !== text) throw new Error(`${text} was taken for another`);
    }
    expect(texts).toHaveLength(20_000);
  }
});
