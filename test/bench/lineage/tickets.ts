import type { DataSet, Known, Read } from "./flow.ts";
import type { Random } from "./random.ts";
import { complaint, date, person, subject } from "./words.ts";

function ticket(random: Random): Read {
  const one = person(random);
  const id = `TCK-${random.whole(10_000, 99_999)}`;
  const created = `${date(random, 2025, 2026)}T${random.whole(10, 23)}:${random.whole(10, 59)}:${random.whole(10, 59)}Z`;
  const result = {
    id,
    subject: subject(random),
    status: random.pick(["open", "waiting for customer", "solved"]),
    priority: random.pick(["low", "normal", "high"]),
    createdAt: created,
    requester: { name: `${one.first} ${one.last}`, email: one.email, phone: one.phone },
    description: complaint(random, one),
    tags: random.some(["billing", "delivery", "hardware", "login"], 2),
  };
  const known: readonly Known[] = [
    { type: "IDENTIFIER", value: id, record: 0 },
    { type: "NAME", value: result.requester.name, record: 0 },
    { type: "EMAIL", value: one.email, record: 0 },
    { type: "PHONE", value: one.phone, record: 0 },
    { type: "MOMENT", value: created, record: 0 },
    { type: "TEXT", value: `${one.street}, ${one.city}`, record: 0 },
    { type: "TEXT", value: result.description.slice(result.description.indexOf("The serial")), record: 0 },
  ];
  return { platform: "tickets", tool: "get_ticket", arguments: { id }, result, known };
}

function order(random: Random): Read {
  const one = person(random);
  const items = Array.from({ length: random.whole(1, 4) }, () => ({
    sku: `${random.pick(["AB", "KX", "QT"])}-${random.whole(1_000, 9_999)}-${random.whole(10, 99)}`,
    quantity: random.whole(1, 9),
    price: random.whole(500, 90_000) / 100,
    weightGrams: random.whole(10_000, 99_999),
  }));
  const total = Math.round(items.reduce((sum, { quantity, price }) => sum + quantity * price, 0) * 100) / 100;
  const ordered = date(random, 2025, 2026);
  const text = [
    `order: ${random.whole(10_000_000, 99_999_999)}`,
    `customer: ${one.first} ${one.last}`,
    `address: ${one.street}, ${one.city}`,
    `ordered: ${ordered}`,
    `total: ${total}`,
    "items:",
    ...items.map(
      ({ sku, quantity, price, weightGrams }) =>
        `  - sku: ${sku}\n    quantity: ${quantity}\n    price: ${price}\n    weightGrams: ${weightGrams}`,
    ),
  ].join("\n");
  const known: readonly Known[] = [
    { type: "NAME", value: `${one.first} ${one.last}`, record: 0 },
    { type: "IDENTIFIER", value: text.slice(7, 15), record: 0 },
    { type: "TEXT", value: `${one.street}, ${one.city}`, record: 0 },
    { type: "DATE", value: ordered, record: 0 },
    { type: "NUMBER", value: total, record: 0 },
    ...items.flatMap(({ sku, weightGrams }, record): Known[] => [
      { type: "IDENTIFIER", value: sku, record },
      { type: "NUMBER", value: weightGrams, record },
    ]),
  ];
  return { platform: "orders", tool: "get_order", arguments: { order: text.slice(7, 15) }, result: text, known };
}

function article(random: Random): Read {
  const number = random.whole(1, 40);
  const result = {
    title: `How to ${["return an item", "reset a password", "read an invoice", "update the firmware"][number % 4]}`,
    body: `Our customers can do this by themselves at any time. Open the page of your account, choose the entry in question and follow the steps. It takes about ${number} minutes. If it does not work, contact the support team with the number of your order and a description of what you see on the screen.`,
  };
  return { platform: "knowledge", tool: "get_article", arguments: { number }, result, known: [] };
}

/** Tickets and orders, and messages of a chat: whatever is written is within one text. */
export const tickets: DataSet = {
  name: "tickets to chat",
  session(random) {
    const reads = [() => ticket(random), () => order(random), () => article(random)];
    return Array.from({ length: random.whole(2, 5) }, () => random.pick(reads)());
  },
  write(random, values) {
    const greeting = random.pick(["Hi team,", "Hello everyone,", "FYI:", "Please have a look:"]);
    const text = `${greeting} ${values.join(random.pick([" - ", "; ", " | ", "\n"]))}`;
    return { platform: "chat", arguments: { channel: "#second-level", text } };
  },
  others(random) {
    const { first, last, city, since } = person(random);
    const common = [subject(random), city, "waiting for customer", "high priority", "thank you for your help"];
    return { common: random.some(common, random.whole(1, 3)), strange: random.some([`${first} ${last}`, since], 1) };
  },
};
