import type { DataSet, Known, Read } from "./flow.ts";
import type { Random } from "./random.ts";
import { date, type Person, person } from "./words.ts";

/** An order line, as e-mails and attachments have it. */
interface Line {
  readonly article: string;
  readonly text: string;
  readonly quantity: number;
  readonly price: number;
}

const ARTICLES = [
  "Sechskantschraube M8x40",
  "Joint torique 25 mm",
  "Filtro de aceite",
  "Ball bearing 6204-2RS",
  "Łożysko kulkowe",
  "Kabelkanal 60x40 grau",
  "Pompe immergée",
  "Gasket set, upper",
];

/** What people write around the values, by language. */
const LETTERS: readonly ((value: { order: string; sum: string; due: string; line: string; by: string }) => string)[] = [
  ({ order, sum, due, line, by }) =>
    `Sehr geehrte Damen und Herren,\n\nwir bestellen gemäß Ihrem Angebot zur Bestellnummer ${order}:\n${line}\nGesamtbetrag ${sum} EUR, Liefertermin ${due}. Bitte bestätigen Sie den Eingang.\n\nMit freundlichen Grüßen\n${by}`,
  ({ order, sum, due, line, by }) =>
    `Bonjour,\n\nveuillez trouver ci-joint notre commande ${order} :\n${line}\nMontant total ${sum} EUR, livraison souhaitée le ${due}. Merci de nous confirmer la réception.\n\nCordialement,\n${by}`,
  ({ order, sum, due, line, by }) =>
    `Buenos días:\n\nLes enviamos el pedido ${order}:\n${line}\nImporte total ${sum} EUR, fecha de entrega ${due}. Rogamos confirmen la recepción.\n\nSaludos cordiales,\n${by}`,
  ({ order, sum, due, line, by }) =>
    `Dzień dobry,\n\nprzesyłamy zamówienie ${order}:\n${line}\nRazem ${sum} EUR, termin dostawy ${due}. Prosimy o potwierdzenie.\n\nZ poważaniem\n${by}`,
  ({ order, sum, due, line, by }) =>
    `Hello,\n\nplease find our purchase order ${order} below:\n${line}\nTotal ${sum} EUR, delivery by ${due}. Kindly confirm receipt.\n\nBest regards\n${by}`,
];

function linesOf(random: Random): readonly Line[] {
  return Array.from({ length: random.whole(1, 6) }, () => ({
    article: `${random.whole(10, 99)}.${random.whole(100, 999)}.${random.whole(1_000, 9_999)}`,
    text: random.pick(ARTICLES),
    quantity: random.whole(1, 500),
    price: random.whole(100, 99_999) / 100,
  }));
}

const sumOf = (lines: readonly Line[]) =>
  Math.round(lines.reduce((sum, { quantity, price }) => sum + quantity * price, 0) * 100) / 100;

function senderOf(one: Person, record: number): readonly Known[] {
  return [
    { type: "NAME", value: `${one.first} ${one.last}`, record },
    { type: "EMAIL", value: one.email, record },
    { type: "TEXT", value: one.company, record },
    { type: "PHONE", value: one.phone, record },
  ];
}

/** An order in prose. */
function mail(random: Random): Read {
  const [one, lines, due] = [person(random), linesOf(random), date(random, 2025, 2026)];
  const [order, total] = [`${random.pick(["PO", "B", "CMD"])}${random.whole(1_000_000, 9_999_999)}`, sumOf(lines)];
  const by = `${one.first} ${one.last}\n${one.company}\nTel. ${one.phone}`;
  const line = lines.map((item) => `${item.quantity} x ${item.article} ${item.text} à ${item.price}`).join("\n");
  const body = random.pick(LETTERS)({ order, sum: String(total), due, line, by });
  const result = { from: `${one.first} ${one.last} <${one.email}>`, subject: `Re: ${order}`, unread: true, body };
  const known: readonly Known[] = [
    ...senderOf(one, 0),
    { type: "IDENTIFIER", value: order, record: 0 },
    { type: "DATE", value: due, record: 0 },
    { type: "NUMBER", value: total, record: 0 },
    ...lines.map(({ article }): Known => ({ type: "IDENTIFIER", value: article, record: 1 })),
  ];
  return { platform: "mail", tool: "read_message", arguments: { id: random.whole(1, 1_000_000) }, result, known };
}

/** An invoice as XML, which looks like HTML, or as lines with semicolons. */
function invoice(random: Random): Read {
  const [one, lines, issued] = [person(random), linesOf(random), date(random, 2025, 2026)];
  const [number, total] = [
    `${random.pick(["RE", "FA", "INV"])}-${random.whole(2_024, 2_026)}-${random.whole(10_000, 99_999)}`,
    sumOf(lines),
  ];
  const vat = `DE${random.whole(100_000_000, 999_999_999)}`;
  const iban = `DE${random.whole(10, 99)}${random.whole(10_000_000, 99_999_999)}${random.whole(1_000_000_000, 9_999_999_999)}`;
  const items = lines.map(
    ({ article, text, quantity, price }) =>
      `<item id="${article}"><name>${text}</name><qty>${quantity}</qty><net>${price}</net></item>`,
  );
  const xml = `<invoice number="${number}"><issued>${issued}</issued><!-- EN 16931 --><seller vat="${vat}"><name>${one.company}</name><iban>${iban}</iban></seller>${items.join("")}<total currency="EUR">${total}</total></invoice>`;
  const csv = [
    `Rechnung;${number};${issued}`,
    `Lieferant;${one.company};${vat}`,
    `Konto;${iban};${total}`,
    ...lines.map(({ article, text, quantity }) => `${article};${text};${quantity}`),
  ].join("\n");
  const known: readonly Known[] = [
    { type: "TEXT", value: one.company, record: 0 },
    { type: "IDENTIFIER", value: number, record: 0 },
    { type: "IDENTIFIER", value: vat, record: 0 },
    { type: "IDENTIFIER", value: iban, record: 0 },
    { type: "DATE", value: issued, record: 0 },
    { type: "NUMBER", value: total, record: 0 },
    ...lines.map(({ article }): Known => ({ type: "IDENTIFIER", value: article, record: 1 })),
  ];
  const result = { file: `${number}.txt`, text: random.chance(0.5) ? xml : csv };
  return { platform: "mail", tool: "read_attachment", arguments: { file: number }, result, known };
}

/** Suppliers by number, each a member of one object. */
function suppliers(random: Random): Read {
  const people = Array.from({ length: random.whole(2, 8) }, () => ({
    ...person(random),
    number: random.whole(70_000, 79_999),
  }));
  const result = Object.fromEntries(
    people.map(({ number, company, email, phone, city, street, first, last }) => [
      String(number),
      { company, contact: `${first} ${last}`, email, phone, address: [street, city], terms: "30 Tage netto" },
    ]),
  );
  const known = people.flatMap((one, record): readonly Known[] => [
    ...senderOf(one, record),
    { type: "IDENTIFIER", value: String(one.number), record },
    { type: "TEXT", value: one.street, record },
  ]);
  return { platform: "suppliers", tool: "find", arguments: { query: random.whole(1, 1_000_000) }, result, known };
}

/** E-mails, invoices and master data in five languages, and postings to an ERP system. Made after everything was tuned, and not used for it. */
export const invoices: DataSet = {
  name: "invoices to ERP",
  session(random) {
    const reads = [() => mail(random), () => invoice(random), () => suppliers(random)];
    return Array.from({ length: random.whole(2, 6) }, () => random.pick(reads)());
  },
  write(random, values) {
    const names = ["BELNR", "LIFNR", "XBLNR", "SGTXT", "WRBTR", "ZUONR", "NAME1"];
    const header = { BUKRS: "1000", BLART: random.pick(["KR", "RE", "WE"]), WAERS: "EUR" };
    const fields = values.map(
      (value, at) => [`${names[at % names.length]}${at < names.length ? "" : at}`, value] as const,
    );
    return { platform: "erp", arguments: { header, positions: [Object.fromEntries(fields)] } };
  },
  others(random) {
    const { company, since } = person(random);
    const common = [
      "30 Tage netto",
      "EUR",
      random.pick(ARTICLES),
      "Gesamtbetrag",
      1,
      19,
      "Bitte bestätigen Sie den Eingang.",
    ];
    const strange = [company, since, `49${random.whole(10_000_000, 99_999_999)}`];
    return { common: random.some(common, random.whole(1, 3)), strange: random.some(strange, 1) };
  },
};
