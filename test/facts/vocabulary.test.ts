import { expect, it } from "vitest";
import { defineFact, defineState } from "../../src/facts/definition.ts";
import { list, object, text } from "../../src/facts/schema.ts";
import { createVocabulary } from "../../src/facts/vocabulary.ts";

const fact = (more: object = {}) => defineFact("SAMPLE_TAKEN", { description: "a sample", members: {}, ...more });
const state = () =>
  defineState("SAMPLE", { description: "a sample", id: "its id", state: object({ status: text("how it is") }, "it") });

it.each<[string, Parameters<typeof createVocabulary>[0], string]>([
  [
    "a type twice",
    [
      { states: [], facts: [fact()] },
      { states: [], facts: [fact()] },
    ],
    "SAMPLE_TAKEN is defined twice",
  ],
  ["a kind twice", [{ states: [state(), state()], facts: [] }], "SAMPLE is defined twice"],
  [
    "a type that moves a kind which there is not",
    [{ states: [], facts: [fact({ moves: { SAMPLE: [[null, "OPEN"]] } })] }],
    "moves the kind SAMPLE, which is not defined",
  ],
  [
    "a type that orders erasures and needs no signature",
    [
      {
        states: [],
        facts: [fact({ members: { values: list(text("one"), "what is erased") }, erases: "values" })],
      },
    ],
    "SAMPLE_TAKEN orders erasures and is not signed",
  ],
])("refuses %s", (_, areas, message) => {
  expect(() => createVocabulary(areas)).toThrow(message);
});
