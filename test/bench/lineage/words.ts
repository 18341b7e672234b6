import type { Random } from "./random.ts";

const FIRST =
  "Anna Ben Clara David Emma Felix Grace Hugo Ines Jonas Karla Liam Marta Noah Olga Paul Quinn Rosa Samuel Tara Uwe Vera Walter Xenia Yusuf Zoe Aylin Björn Chloé Dmitri Eva Farid Giulia Hanna Ivan Jana Kenji Lucía Mateo Nadia".split(
    " ",
  );
const LAST =
  "Adler Becker Costa Dubois Eriksen Fischer García Haddad Ivanova Jensen Keller Larsen Moreau Novak O'Brien Petrov Quist Rossi Schneider Tanaka Ueda Vogel Weber Xu Yilmaz Zimmer Andersson Brandt Castillo Dietrich Engel Fontana Gruber Hoffmann Ibsen Janssen Kowalski Lindgren Müller Nakamura".split(
    " ",
  );
const STREETS =
  "Main Street,Oak Avenue,Hauptstraße,Rue de Rivoli,Via Roma,Mill Lane,Station Road,Gartenweg,King Street,Elm Drive".split(
    ",",
  );
const CITIES =
  "Berlin,Hamburg,Paris,Lyon,Milan,Madrid,New York,Boston,Chicago,Amsterdam,Vienna,Zürich,Oslo,Lisbon,Dublin".split(
    ",",
  );
const TRADES = "Logistics,Foods,Optics,Systems,Textiles,Motors,Energy,Paper,Marine,Robotics,Glass,Seeds".split(",");
const FORMS = "GmbH,Ltd,SA,Inc,BV,AB".split(",");
const STAGES = "lead,customer,prospect,former customer,partner".split(",");

export interface Person {
  readonly first: string;
  readonly last: string;
  readonly email: string;
  readonly phone: string;
  readonly company: string;
  readonly city: string;
  readonly street: string;
  readonly stage: string;
  readonly since: string;
  readonly revenue: number;
  readonly id: string;
}

const plain = (text: string) =>
  text
    .normalize("NFD")
    .replace(/[^A-Za-z]/g, "")
    .toLowerCase();

export function date(random: Random, from = 2015, to = 2026): string {
  const moment = Date.UTC(random.whole(from, to), random.whole(0, 11), random.whole(1, 28));
  return new Date(moment).toISOString().slice(0, 10);
}

export function person(random: Random): Person {
  const [first, last] = [random.pick(FIRST), random.pick(LAST)];
  const name = `${random.pick(LAST)} ${random.pick(TRADES)}`;
  const phones = [
    () => `+49 ${random.pick(["30", "40", "89"])} ${random.whole(10_000_000, 99_999_999)}`,
    () => `+1 ${random.pick(["212", "617", "312"])} 555 ${random.whole(1_000, 9_999)}`,
    () => `+33 1 ${[1, 2, 3, 4].map(() => random.whole(10, 99)).join(" ")}`,
  ];
  return {
    first,
    last,
    email: `${plain(first)}.${plain(last)}${random.chance(0.5) ? random.whole(1, 99) : ""}@${plain(name)}.example`,
    phone: random.pick(phones)(),
    company: `${name} ${random.pick(FORMS)}`,
    city: random.pick(CITIES),
    street: `${random.whole(1, 250)} ${random.pick(STREETS)}`,
    stage: random.pick(STAGES),
    since: date(random),
    revenue: random.whole(100_000, 99_999_999) / 100,
    id: `C-${random.whole(100_000, 999_999)}`,
  };
}

const SUBJECTS = [
  "Delivery did not arrive",
  "Invoice shows the wrong amount",
  "Cannot sign in since yesterday",
  "Screen stays black after the update",
  "Refund for a returned item",
  "Question about the warranty",
];
const SENTENCES = [
  "I ordered it more than two weeks ago and nobody could tell me where it is.",
  "The parcel service says that it was handed over to a neighbour, which is not the case.",
  "After the last update the screen stays black until I unplug everything for a minute.",
  "Please send the corrected invoice to our accounting department before the end of the month.",
  "I have tried both browsers and a second computer, and the message is the same each time.",
  "The box was open and one of the three adapters was missing when we received it.",
  "We would like to return two of the five units and keep the others.",
  "Your colleague promised on the telephone that somebody would call me back the same day.",
];

export function subject(random: Random): string {
  return random.pick(SUBJECTS);
}

/** What a customer writes, of a few sentences, the last about them and nobody else. */
export function complaint(random: Random, { first, last, street, city }: Person): string {
  const code = `${random.pick("ABCDEFGH".split(""))}${random.whole(1_000, 9_999)}-${random.whole(10, 99)}`;
  const told = random.some(SENTENCES, random.whole(2, 4)).join(" ");
  return `Hello, ${told} The serial number is ${code}. Please deliver to ${street}, ${city}. Kind regards, ${first} ${last}`;
}
