import { type CelFunc, CelScalar, celMethod, objectType } from "@bufbuild/cel";
import { type Timestamp, TimestampSchema, timestampDate } from "@bufbuild/protobuf/wkt";
import { LRUCache } from "lru-cache";

const OFFSET = /^([+-]?)(\d\d):(\d\d)$/;
const MINUTE = 60_000;
const DAY = 86_400_000;
/** Since then no zone has changed its offset within a minute: Liberia was the last to, in January 1972. */
const WHOLE_MINUTES = Date.UTC(1973, 0, 1);

/** A zone of the IANA data. */
interface Zone {
  readonly format: Intl.DateTimeFormat;
  /** The minute that was asked for last, and the distance from UTC in it, in milliseconds. */
  minute: number;
  distance: number;
}

/**
 * Zones that are kept: conditions may read their names from arguments. To make a format, as the library does for each call, takes longer than
 * everything else in a condition; to use it, longer than most.
 */
const zones = new LRUCache<string, Zone>({ max: 64 });

/** Throws RangeError for a zone that there is not. */
function zoneOf(name: string): Zone {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: name,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const zone = { format, minute: Number.NaN, distance: 0 };
  zones.set(name, zone);
  return zone;
}

function distanceFromUtc(name: string, at: number): number {
  const zone = zoneOf(name);
  const minute = Math.floor(at / MINUTE);
  if (zone.minute === minute && at >= WHOLE_MINUTES) return zone.distance;
  const parts = new Map(zone.format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? Number.NaN;
  const there = new Date(0);
  there.setUTCFullYear(part("year"), part("month") - 1, part("day"));
  there.setUTCHours(part("hour"), part("minute"), part("second"));
  zone.minute = minute;
  zone.distance = there.getTime() - Math.floor(at / 1_000) * 1_000;
  return zone.distance;
}

/** The instant whose parts in UTC are those of `instant` in `zone`: UTC when that is left out, an offset, or a name of the IANA data. */
function placed(instant: Date, zone: string | undefined): Date {
  if (zone === undefined || zone === "UTC") return instant;
  const at = instant.getTime();
  const offset = OFFSET.exec(zone);
  if (offset === null) return new Date(at + distanceFromUtc(zone, at));
  const [, sign, hours, minutes] = offset;
  const distance = (Number(hours) * 60 + Number(minutes)) * MINUTE;
  return new Date(at + (sign === "-" ? -distance : distance));
}

const PARTS: ReadonlyMap<string, (there: Date) => number> = new Map([
  ["getFullYear", (there) => there.getUTCFullYear()],
  ["getMonth", (there) => there.getUTCMonth()],
  ["getDate", (there) => there.getUTCDate()],
  ["getDayOfMonth", (there) => there.getUTCDate() - 1],
  ["getDayOfWeek", (there) => there.getUTCDay()],
  [
    "getDayOfYear",
    (there) => {
      const first = new Date(0);
      first.setUTCFullYear(there.getUTCFullYear(), 0, 1);
      return Math.floor((there.getTime() - first.getTime()) / DAY);
    },
  ],
  ["getHours", (there) => there.getUTCHours()],
  ["getMinutes", (there) => there.getUTCMinutes()],
  ["getSeconds", (there) => there.getUTCSeconds()],
  ["getMilliseconds", (there) => there.getUTCMilliseconds()],
]);

/**
 * What the method `name` of a timestamp of CEL, such as `getHours`, says of `instant` in `zone`. Undefined: there is no such method. Throws
 * RangeError for a zone that there is not.
 */
export function partOf(name: string, instant: Date, zone: string | undefined): number | undefined {
  return PARTS.get(name)?.(placed(instant, zone));
}

const TIMESTAMP = objectType(TimestampSchema);
const { STRING, INT } = CelScalar;

/** In place of those of the library, which reckon in the time zone of the server: an hour is missing there when summer time begins. */
export const TIME_FUNCTIONS: readonly CelFunc[] = [...PARTS.keys()].flatMap((name) => {
  const method = function (this: { readonly message: Timestamp }, zone?: string): bigint {
    return BigInt(partOf(name, timestampDate(this.message), zone) ?? Number.NaN);
  };
  return [
    celMethod(name, TIMESTAMP, [], INT, method as never),
    celMethod(name, TIMESTAMP, [STRING], INT, method as never),
  ];
});
