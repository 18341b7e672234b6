import type { Known } from "./flow.ts";
import type { Random } from "./random.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The value in other letters, or with other white space. */
export function recased(random: Random, { value }: Known): string | number {
  if (typeof value === "number") return value;
  const text = random.pick([
    value.toUpperCase(),
    value.toLowerCase(),
    value.replace(/\p{L}+/gu, (word) => word[0]!.toUpperCase() + word.slice(1).toLowerCase()),
  ]);
  return random.chance(0.3) ? ` ${text.replaceAll(" ", "  ")} ` : text;
}

/** Whether `reformatted` writes it in another way. */
export function canBeReformatted({ type }: Known): boolean {
  return type === "DATE" || type === "MOMENT" || type === "NUMBER" || type === "PHONE";
}

/** The date, number or telephone number as another program or person writes it. */
export function reformatted(random: Random, { type, value }: Known): string | number {
  if (type === "DATE" || type === "MOMENT") return date(random, String(value));
  if (type === "NUMBER") return number(random, Number(value));
  if (type === "PHONE") return phone(random, String(value));
  return value;
}

function date(random: Random, iso: string): string {
  const [year, month, day] = iso.slice(0, 10).split("-").map(Number) as [number, number, number];
  const name = MONTHS[month - 1] as string;
  const two = (one: number) => String(one).padStart(2, "0");
  const written = random.pick([
    `${two(day)}.${two(month)}.${year}`,
    `${month}/${day}/${year}`,
    `${two(day)}/${two(month)}/${year}`,
    `${name} ${day}, ${year}`,
    `${day} ${name} ${year}`,
    `${two(day)}-${name}-${year}`,
    `${year}/${two(month)}/${two(day)}`,
  ]);
  const time = /T(\d{2}):(\d{2})/.exec(iso);
  if (time === null) return written;
  const [hour, minute] = [Number(time[1]), time[2] as string];
  return random.chance(0.5)
    ? `${written} ${two(hour)}:${minute}`
    : `${written}, ${hour % 12 === 0 ? 12 : hour % 12}:${minute} ${hour < 12 ? "AM" : "PM"}`;
}

function number(random: Random, value: number): string {
  const isWhole = Number.isInteger(value);
  const plain = value.toLocaleString("en-US", { minimumFractionDigits: isWhole ? 0 : 2 });
  return random.pick([
    `$${value.toLocaleString("en-US", { minimumFractionDigits: 2 })}`,
    `${value.toLocaleString("de-DE", { minimumFractionDigits: 2 })} €`,
    `USD ${plain}`,
    plain,
    isWhole ? `${value}.00` : String(value),
  ]);
}

/** `+49 30 5550123` and the like, of which only the digits after the code of the country stay together. */
function phone(random: Random, value: string): string {
  const [code = "", ...groups] = value.split(" ");
  const digits = groups.join("");
  const cut = Math.ceil(digits.length / 2);
  return random.pick([
    `${code}${digits}`,
    `${code.replace("+", "00")} ${digits}`,
    `(${digits.slice(0, 3)}) ${digits.slice(3, 6)}-${digits.slice(6)}`,
    `0${digits.slice(0, 3)}/${digits.slice(3)}`,
    `${code} ${digits.slice(0, cut)}-${digits.slice(cut)}`,
  ]);
}

const PROSE: readonly ((value: string) => string)[] = [
  (value) => `Hi all, quick update before the call: ${value} came up again, please have a look when you can. Thanks!`,
  (value) => `As discussed this morning, we should follow up on ${value} by the end of the week.`,
  (value) => `I checked it and everything is in order (${value}). Let me know if you need anything else.`,
  (value) =>
    `Reminder: ${value}, as far as I can tell, is still open on our side, and the customer is waiting for news.`,
  (value) => `Could somebody from the second line take over? It is about ${value}.`,
];

/** A message with the value in it. */
export function inProse(random: Random, value: string | number): string {
  return random.pick(PROSE)(String(value));
}

const PARAPHRASES = [
  "The person in question would like to change the trip and is fine with a later start.",
  "They asked for their money back, since the thing they ordered did not work as they had hoped.",
  "One of our better customers, somewhere in the south, wants a call about next year's terms.",
  "It went out twice and came back once; the rest is being looked into.",
  "Summary: somebody senior at a mid-sized firm is unhappy about response times.",
];

/** What somebody says of what they read, without a value of it. */
export function paraphrased(random: Random): string {
  return random.pick(PARAPHRASES);
}

/** A number in another unit: miles for kilometres, pounds for kilogrammes, another currency. */
export function inOtherUnit(random: Random, value: number): number {
  return Math.round(value * random.pick([0.621371, 2.20462, 1.0837, 0.0353147]) * 100) / 100;
}
