import { datesIn } from "./dates.ts";
import { numbersIn, numberText, significantDigits } from "./numbers.ts";
import { phoneIn } from "./phones.ts";
import { fold, type Word, wordsOf } from "./words.ts";

/** A value in a form in which two that mean the same are the same text. */
export interface Form {
  /** Begins with what it is: `date:`, `email:`, `number:`, `phone:`, `text:`. */
  readonly text: string;
  /** How much it tells that two places have it, from 0, where nothing is known of how rare it is. */
  readonly weight: number;
}

/** What an e-mail address, or any long identifier, tells: by itself enough to link. */
export const FULL_WEIGHT = 12;
/** What a day tells: by itself not enough to link, since there are few. */
const DAY_WEIGHT = 4.5;
/** What programs call one of a few choices, such as `round_trip`, and what it tells at most. */
const CHOICE = /^[a-z]+(?:[_-][a-z]+)*$/;
const CHOICE_WEIGHT = 3;
/** Characters of the normalised form that are compared as one value: of what is longer, pieces are. */
export const LONGEST_VALUE = 200;

const EMAIL =
  /^(?:mailto:|.{0,100}<)?(?<address>[\p{L}\p{N}._%+'-]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8})>?$/iu;

/** The forms of a number or a short text. Of a date or number that can be read in two ways, both. */
export function formsOf(value: string | number): readonly Form[] {
  if (typeof value === "number") {
    const text = numberText(value);
    return text === undefined ? [] : [numberForm(text)];
  }
  if (value.length > 4 * LONGEST_VALUE) return [];
  const typed = typedForms(value);
  if (typed.some(({ text }) => text.startsWith("email:"))) return typed;
  const words = [...wordsOf(value)];
  const text = textForm(words);
  // A date is no text, nor a number: their marks differ from one place to the next.
  if (text === undefined || typed.length > 0) return typed;
  return [CHOICE.test(value) ? { ...text, weight: Math.min(text.weight, CHOICE_WEIGHT) } : text];
}

/** The forms of what is written as an e-mail address, date, number or telephone number. */
export function typedForms(value: string): readonly Form[] {
  if (value.length > LONGEST_VALUE) return [];
  const address = value.includes("@") ? EMAIL.exec(value.trim())?.groups?.address : undefined;
  if (address !== undefined) return [{ text: `email:${fold(address)}`, weight: FULL_WEIGHT }];
  if (!/\d/.test(value)) return [];
  const dates = datesIn(value).map(({ text, hasTime }) => ({ text: `date:${text}`, weight: hasTime ? 9 : DAY_WEIGHT }));
  // 20240520 may be a number, 2024-05-20 is none.
  if (dates.length > 0 && /[^\d]/.test(value)) return dates;
  const numbers = numbersIn(value).map(numberForm);
  const phone = phoneIn(value);
  return phone === undefined ? [...dates, ...numbers] : [...dates, ...numbers, { text: `phone:${phone}`, weight: 10 }];
}

/** By how many digits tell something: one of eight is an identifier, one of three is found anywhere. */
const NUMBER_WEIGHTS = [0, 0, 0, 1, 3, 5, 7, 9, 11, FULL_WEIGHT];

function numberForm(decimal: string): Form {
  const digits = significantDigits(decimal);
  return { text: `number:${decimal}`, weight: NUMBER_WEIGHTS[Math.min(digits, NUMBER_WEIGHTS.length - 1)] as number };
}

/** The form of words that follow each other; undefined where there are none, or too many. */
export function textForm(words: readonly Word[]): Form | undefined {
  let form: TextSoFar | undefined;
  for (const word of words) form = longer(form, word);
  return form === undefined ? undefined : formOf(form);
}

/** Words that follow each other, and what they consist of. */
export interface TextSoFar {
  readonly text: string;
  readonly words: number;
  /** Letters and digits, those of scripts that need few of them counted more. */
  readonly length: number;
  readonly digits: number;
  readonly isDense: boolean;
  /** Each word has a digit: it may be one identifier that is written in groups. */
  readonly isGrouped: boolean;
}

/** Letters and digits of an identifier that is written in groups, as an IBAN is (ISO 13616), at least. */
const SHORTEST_GROUPED = 10;

/** `before` and then `word`. */
export function longer(before: TextSoFar | undefined, { text, digits, dense }: Word): TextSoFar {
  const length = text.length + 1.5 * dense;
  if (before === undefined) return { text, words: 1, length, digits, isDense: dense > 0, isGrouped: digits > 0 };
  return {
    text: `${before.text} ${text}`,
    words: before.words + 1,
    length: before.length + length,
    digits: before.digits + digits,
    isDense: before.isDense || dense > 0,
    isGrouped: before.isGrouped && digits > 0,
  };
}

/** The form of words; undefined when they are too many. */
export function formOf(found: TextSoFar): Form | undefined {
  if (found.text.length > LONGEST_VALUE) return undefined;
  const isOne = found.isGrouped && found.words > 1 && found.length >= SHORTEST_GROUPED;
  const text = isOne ? found.text.replaceAll(" ", "") : found.text;
  return { text: `text:${text}`, weight: textWeight(found) };
}

function textWeight({ words, length, digits, isDense }: TextSoFar): number {
  // Identifiers of letters and digits, addresses with a number.
  if (digits > 0 && length > digits) return length < 5 ? 2 : Math.min(FULL_WEIGHT, 1.5 * length);
  if (digits > 0) return Math.min(FULL_WEIGHT, length < 5 ? 1 : length);
  if (words === 1) return isDense ? Math.min(8, length) : length < 5 ? 1 : Math.min(6, 0.6 * length);
  if (length < 5) return 1;
  return words === 2 ? Math.min(9, 0.7 * length) : Math.min(FULL_WEIGHT, 0.7 * length);
}
