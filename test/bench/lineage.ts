// How well writes are linked to what they were drawn from: writes of known origin behind the reads of four data sets.
// `npm run bench:lineage -- --help`; see README.md.
import { airline } from "./lineage/airline.ts";
import { contacts } from "./lineage/contacts.ts";
import { KINDS } from "./lineage/flow.ts";
import { invoices } from "./lineage/invoices.ts";
import { plant } from "./lineage/plant.ts";
import { createRandom } from "./lineage/random.ts";
import { METHODS, overall, precision, recall, type Scores, score, together } from "./lineage/score.ts";
import { tickets } from "./lineage/tickets.ts";
import { table } from "./load.ts";
import { readOptions } from "./options.ts";

const options = readOptions(
  "Precision and recall of the links between writes and what they were drawn from, by kind of flow. TRACES names another file of traces of an airline.",
  {
    from: { says: "first seed", unit: "number", from: 0, to: 1_000_000, otherwise: 1 },
    to: { says: "last seed", unit: "number", from: 0, to: 1_000_000, otherwise: 5 },
    flows: {
      says: "flows of each kind, for each seed and data set",
      unit: "flows",
      from: 1,
      to: 10_000,
      otherwise: 40,
    },
    principals: { says: "how many there are, who read in turn", unit: "number", from: 1, to: 32, otherwise: 12 },
    mistakes: { says: "links that are wrong or missing to be shown", unit: "links", from: 0, to: 1_000, otherwise: 0 },
  },
);

const share = (value: number | undefined) => (value === undefined ? "–" : value.toFixed(3));

function print(name: string, scores: Scores): void {
  const rows = KINDS.map((kind) => [
    kind,
    ...METHODS.flatMap((method) => {
      const own = scores.get(kind)?.[method];
      return own === undefined ? ["–", "–"] : [share(precision(own)), share(recall(own))];
    }),
  ]);
  const sum = METHODS.flatMap((method) => {
    const own = overall(scores, method);
    return [share(precision(own)), share(recall(own))];
  });
  const head = ["", ...METHODS.flatMap((method) => [`${method}: precision`, "recall"])];
  process.stdout.write(`\n${name}\n\n${table(head, [...rows, ["all", ...sum]])}\n`);
}

const sets = [airline(process.env.TRACES), contacts, tickets, invoices];
const all: Scores[] = [];
let shown = 0;
for (const data of sets) {
  const own: Scores[] = [];
  for (let seed = options.from; seed <= options.to; seed += 1) {
    const flows = plant(data, options.flows, createRandom(seed));
    own.push(
      await score(flows, options.principals, ({ flow, read, isMissing, strength, shared }) => {
        shown += 1;
        if (shown > options.mistakes) return;
        const what = isMissing ? "missing" : "wrong";
        const text = JSON.stringify(flow.write.arguments).slice(0, 600);
        process.stdout.write(
          `${data.name}, ${flow.kind}: ${what} ${read} ${strength.toFixed(1)} ${text}\n  ${shared.join("\n  ")}\n`,
        );
      }),
    );
  }
  print(`${data.name}, seeds ${options.from} to ${options.to}`, together(own));
  all.push(...own);
}
print(`all, seeds ${options.from} to ${options.to}`, together(all));
