import { loadCatalog } from "../../../src/domain/policy/catalog.ts";
import type { PolicyCase, PolicyDocument, PolicyRule } from "../../../src/domain/policy/document/schema.ts";
import { starterDocument } from "../../../src/domain/policy/document/starter.ts";

type Given = PolicyCase["given"];

/** A rule of an airline, and a step that it matches. */
interface Example {
  readonly when: string;
  readonly outcome: Pick<PolicyRule, "forbid" | "require">;
  readonly reason: string;
  readonly given: Given;
}

const FORBID = { forbid: true } as const;
const require = (group: string, needed = 1) => ({ require: [{ group, needed }] });
const on = (platform: string, tool: string, more: Omit<Given, "platform" | "tool"> = {}): Given => ({
  platform,
  tool,
  ...more,
});
const FLIGHTS = [{ flight_number: "HAT001", date: "2024-05-20" }];
const CHANGE = { reservation_id: "NO6JO3", cabin: "economy", flights: FLIGHTS, payment_id: "credit_card_4421486" };

/**
 * Kinds of rules, `n` of each being different ones. Every second kind is about the tool that the benchmark calls, or about every tool, so that
 * naming the tool does not settle it; of those none matches what the benchmark proposes.
 */
const KINDS: readonly ((n: number) => Example)[] = [
  (n) => ({
    when: `tool.platform == "vouchers" && tool.name == "send_certificate" && number(args.amount) > ${1_000 + n}.0`,
    outcome: require("finance", 2),
    reason: `Certificates over ${1_000 + n} need two people of finance.`,
    given: on("vouchers", "send_certificate", { arguments: { amount: 1_001 + n } }),
  }),
  (n) => ({
    // Going through a list counts for its longest: a document cannot have 25 of these.
    when: `tool.name == "update_reservation_flights" && ${
      n % 2 === 0
        ? `args.flights.exists(f, f.flight_number == "HAT${900 + n}")`
        : `size(args.flights) == 1 && args.flights[0].flight_number == "HAT${900 + n}"`
    }`,
    outcome: FORBID,
    reason: `Flight HAT${900 + n} is full.`,
    given: on("reservations", "update_reservation_flights", {
      arguments: { ...CHANGE, flights: [{ flight_number: `HAT${900 + n}`, date: "2024-05-20" }] },
    }),
  }),
  (n) => ({
    when: `tool.effect == "WRITE" && ("team-${n}" in person.groups || "team-${n}" in principal.groups)`,
    outcome: require("approvers"),
    reason: `Team ${n} is new, and another person looks at what it changes.`,
    given: on("support", "transfer_to_human_agents", { person: { groups: [`team-${n}`] } }),
  }),
  (n) => ({
    when: `has(args.email) && args.email.lowerAscii().endsWith("@company-${n}.example")`,
    outcome: FORBID,
    reason: `Company ${n} asked not to be written to.`,
    given: on("vouchers", "send_certificate", { arguments: { email: `Ada@company-${n}.example` } }),
  }),
  (n) => ({
    when: `"personal" in tool.data && targetRegion == "region-${n}" && targetRegion != region`,
    outcome: FORBID,
    reason: `Personal data does not go to region ${n}.`,
    given: on("crm", "get_user_details", { targetRegion: `region-${n}` }),
  }),
  (n) => ({
    when: `tool.platform == "reservations" && has(args.total) && number(args.total) > ${10_000 + n}.0`,
    outcome: require("finance"),
    reason: `Reservations over ${10_000 + n} are looked at by finance.`,
    given: on("reservations", "book_reservation", { arguments: { total: `${10_001 + n}.50` } }),
  }),
  (n) => ({
    when: `tool.platform == "support" && now.getHours("Europe/Berlin") < 6 && now.getMinutes("Europe/Berlin") == ${n}`,
    outcome: require("approvers"),
    reason: "Nobody is there at night.",
    given: on("support", "transfer_to_human_agents", {
      now: `2026-11-26T02:${String(n).padStart(2, "0")}:00+01:00`,
    }),
  }),
  (n) => ({
    when: `tool.name == "update_reservation_flights" && args.payment_id.startsWith("gift_card_${n}_")`,
    outcome: require("approvers", 2),
    reason: `Gift cards of series ${n} were stolen.`,
    given: on("reservations", "update_reservation_flights", {
      arguments: { ...CHANGE, payment_id: `gift_card_${n}_1` },
    }),
  }),
];

/** The rules that hold for all tools at certain times: these are evaluated for every write. */
const FREEZES: readonly Example[] = [
  {
    when: 'tool.effect == "WRITE" && now.getFullYear("Europe/Berlin") == 2020 && now.getDayOfYear("Europe/Berlin") > 357',
    outcome: FORBID,
    reason: "Nothing is changed over the holidays.",
    given: on("vouchers", "send_certificate", { now: "2020-12-27T12:00:00Z" }),
  },
  {
    when: 'tool.effect == "WRITE" && now.getFullYear("America/New_York") == 2020 && now.getMonth("America/New_York") == 6',
    outcome: FORBID,
    reason: "Nothing was changed in July 2020.",
    given: on("vouchers", "send_certificate", { now: "2020-07-27T12:00:00Z" }),
  },
];

/**
 * The document that servers start with around the sample catalog, with `count` rules (2 to 500), each with a case. The first two are those of the
 * starter; beside `writes`, none matches what `bench:api` proposes.
 */
export async function documentOf(count: number): Promise<PolicyDocument> {
  const starter = starterDocument(await loadCatalog());
  const examples = Array.from({ length: count - starter.rules.length }, (_, at): Example => {
    const freeze = FREEZES[at];
    const place = at - FREEZES.length;
    return freeze ?? KINDS[place % KINDS.length]!(Math.floor(place / KINDS.length));
  });
  const rules = examples.map(({ when, outcome, reason }, at) => ({ id: `rule-${at + 1}`, when, ...outcome, reason }));
  const cases = examples.map(
    ({ given, outcome }, at): PolicyCase => ({
      name: `rule ${at + 1} matches`,
      given,
      expect: { outcome: outcome.forbid === true ? "FORBID" : "REQUIRE" },
    }),
  );
  return { ...starter, rules: [...starter.rules, ...rules], cases: [...starter.cases, ...cases] };
}
