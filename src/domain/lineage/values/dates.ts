/** Languages whose names of months are read. */
const LANGUAGES = ["en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "da"];
/** Years that are written as dates: other numbers of four digits are rarely ones. */
const [FIRST_YEAR, LAST_YEAR] = [1900, 2099];

/** The names and short names of months, without accents and in lower case. */
const MONTHS: ReadonlyMap<string, number> = new Map(
  LANGUAGES.flatMap((language) =>
    (["long", "short"] as const).flatMap((month) => {
      const format = new Intl.DateTimeFormat(language, { day: "numeric", month, timeZone: "UTC" });
      return Array.from({ length: 12 }, (_, at): [string, number] => {
        const parts = format.formatToParts(Date.UTC(2024, at, 15));
        return [bare(parts.find(({ type }) => type === "month")?.value ?? ""), at + 1];
      });
    }),
  ),
);

const YEAR_FIRST = /^(?<year>\d{4})(?<mark>[-/.])(?<month>\d{1,2})\k<mark>(?<day>\d{1,2})$/;
const YEAR_LAST = /^(?<one>\d{1,2})(?<mark>[-/.])(?<two>\d{1,2})\k<mark>(?<year>\d{4}|\d{2})$/;
const COMPACT = /^(?<year>\d{4})(?<month>\d{2})(?<day>\d{2})$/;
const DAY_NAMED =
  /^(?<day>\d{1,2})(?:st|nd|rd|th|\.|er|º)?[\s-]+(?:de\s+)?(?<name>\p{L}{3,12})\.?,?[\s-]+(?:de\s+)?(?<year>\d{4}|\d{2})$/u;
const NAMED_DAY = /^(?<name>\p{L}{3,12})\.?[\s-]+(?<day>\d{1,2})(?:st|nd|rd|th)?,?[\s-]+(?<year>\d{4})$/u;
const WEEKDAY = /^\p{L}{2,12}\.?,?\s+(?=\d|\p{L}{3,12}\.?\s+\d)/u;
const TIME =
  /[T\s,]+(?:at\s+)?(?<hour>\d{1,2})[:.h](?<minute>\d{2})(?:[:.](?<second>\d{2})(?:[.,]\d{1,9})?)?\s?(?<half>[ap]\.?m\.?)?\s?(?<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?$/i;

export interface DateFound {
  /** `2024-05-20`, or `2024-05-20T14:30` in UTC, or by the clock of wherever it was written where no zone is said. */
  readonly text: string;
  readonly hasTime: boolean;
}

/** The days, and times, that `text` may mean; none when it is no date. `01/02/2024` may be two. */
export function datesIn(text: string): readonly DateFound[] {
  if (text.length < 6 || text.length > 60 || !/\d/.test(text)) return [];
  const trimmed = text.trim();
  const time = TIME.exec(trimmed);
  const days = daysIn((time === null ? trimmed : trimmed.slice(0, time.index)).trim());
  const dates = days.map((day) => ({ text: day, hasTime: false }));
  if (time?.groups === undefined) return dates;
  const clock = days.flatMap((day) => momentOf(day, time.groups ?? {}) ?? []);
  return [...dates, ...clock.map((moment) => ({ text: moment, hasTime: true }))];
}

function daysIn(text: string): readonly string[] {
  for (const one of [text, text.replace(WEEKDAY, "")]) {
    const found = (YEAR_FIRST.exec(one) ?? COMPACT.exec(one))?.groups;
    if (found) return dayOf(found.year, found.month, found.day);
    const numbers = YEAR_LAST.exec(one)?.groups;
    if (numbers) {
      const { year, one: first, two: second } = numbers;
      return [...new Set([...dayOf(year, second, first), ...dayOf(year, first, second)])];
    }
    const named = (DAY_NAMED.exec(one) ?? NAMED_DAY.exec(one))?.groups;
    const month = named && MONTHS.get(bare(named.name ?? ""));
    if (month !== undefined) return dayOf(named?.year, String(month), named?.day);
  }
  return [];
}

function dayOf(year: string | undefined, month: string | undefined, day: string | undefined): readonly string[] {
  const [y, m, d] = [fullYear(year ?? ""), Number(month), Number(day)];
  if (y < FIRST_YEAR || y > LAST_YEAR || m < 1 || m > 12 || d < 1) return [];
  const date = new Date(Date.UTC(y, m - 1, d));
  return date.getUTCMonth() === m - 1 ? [date.toISOString().slice(0, 10)] : [];
}

/** A year of two digits, as POSIX strptime(3) reads %y. */
function fullYear(year: string): number {
  if (year.length !== 2) return Number(year);
  return Number(year) + (Number(year) < 69 ? 2000 : 1900);
}

function momentOf(
  day: string,
  { hour, minute, half, zone }: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const twelve = half === undefined ? Number(hour) : (Number(hour) % 12) + (/^p/i.test(half) ? 12 : 0);
  if (twelve > 23 || Number(minute) > 59) return undefined;
  const offset = /^(?<sign>[+-])(?<hours>\d{2}):?(?<minutes>\d{2})$/.exec(zone ?? "")?.groups;
  const ahead = offset ? (offset.sign === "-" ? -1 : 1) * (Number(offset.hours) * 60 + Number(offset.minutes)) : 0;
  const moment = Date.parse(`${day}T00:00:00Z`) + (twelve * 60 + Number(minute) - ahead) * 60_000;
  return new Date(moment).toISOString().slice(0, 16);
}

function bare(name: string): string {
  return name
    .toLowerCase()
    .normalize("NFD")
    .replace(/[\u0300-\u036f.]/g, "");
}
