/** How many platforms a message lists at most. */
const LISTED = 20;

/** What to say about `name`, which is no platform, to somebody who may use `known`: as the end of a sentence about it. */
export function unknownPlatform(name: string, known: readonly string[]): string {
  const more = known.length > LISTED ? ` and ${known.length - LISTED} more` : "";
  const listed = known.slice(0, LISTED).join(", ");
  return `names no platform: there is no ${JSON.stringify(name.slice(0, 200))}, only ${listed}${more}`;
}
