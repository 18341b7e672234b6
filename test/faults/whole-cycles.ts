import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Organizations } from "./organizations.ts";
import { type Place, type Reply, readEntries, STEPS, type Step, send } from "./steps.ts";

/** A call that was acknowledged, or of which a retry found out that it had been recorded. */
export interface Recorded {
  readonly organization: string;
  readonly step: Step;
  readonly action: string;
  readonly seq: string;
  readonly hash: string;
  /** Name of the server, and milliseconds of `performance.now()`; undefined when it was found out. */
  readonly call: { readonly place: string; readonly began: number; readonly ended: number } | undefined;
}

export interface CycleLoad {
  readonly recorded: readonly Recorded[];
  /** Whatever must not happen, however often servers and databases are killed. */
  readonly faults: readonly string[];
  /** How often calls got no acknowledgement, by what they got. */
  readonly turnedAway: ReadonlyMap<string, number>;
  /** Calls of unknown outcome. Each is known to be recorded, or not, when its cycle ends. */
  unknown(): number;
  /** Whole cycles. */
  finished(): number;
  /** Resolves when every client has finished the cycle it is in. */
  stop(): Promise<void>;
}

export interface CycleOptions {
  readonly places: readonly Place[];
  readonly organizations: Organizations;
  readonly clients: number;
  /** From 0 to 1: which server is asked, and how often two are. */
  readonly random: () => number;
}

/** What is recorded once for each action by each step, and what a second attempt is told. */
export const ENTRY_OF: Readonly<Record<Step, string>> = {
  propose: "ACTION_PROPOSED",
  approve: "ACTION_APPROVED",
  claim: "GRANT_ISSUED",
  redeem: "GRANT_REDEEMED",
  complete: "ACTION_COMPLETED",
};
const DONE_BEFORE: Readonly<Record<Step, readonly string[]>> = {
  propose: [],
  approve: ["ALREADY_VOTED", "NOT_PENDING"],
  claim: [],
  redeem: ["GRANT_SPENT"],
  complete: ["NOT_EXECUTING"],
};
/** The share of calls that are sent to every server at once; not of claims, of which each voids the one before. */
const SENT_TWICE = 1 / 8;
/** Milliseconds in which a call has to be found out. */
const PATIENCE = 120_000;

type Acknowledged = Pick<Extract<Reply, { how: "ACKNOWLEDGED" }>, "id" | "action" | "digest" | "seq" | "token">;

class GivenUp extends Error {}

/** Starts clients that propose, approve, claim, redeem and complete, one action after the other, each until it is done. */
export async function startCycles(options: CycleOptions): Promise<CycleLoad> {
  const { places, organizations, clients, random } = options;
  const recorded: Recorded[] = [];
  const faults: string[] = [];
  const turnedAway = new Map<string, number>();
  let going = true;
  let finished = 0;
  let unknown = 0;

  const somewhere = () => places[Math.floor(random() * places.length)] as Place;

  /** Sends `step` until it is acknowledged, or known to have been recorded before. */
  async function carryOut(organization: string, step: Step, input: object, token: string, about?: Acknowledged) {
    const deadline = performance.now() + PATIENCE;
    for (let unsure = false; performance.now() < deadline; await pause(20 + 60 * random())) {
      const asked = step !== "claim" && random() < SENT_TWICE ? places : [somewhere()];
      const began = performance.now();
      const replies = await Promise.all(
        asked.map(async (place) => {
          const reply = await send(place, step, input, token);
          if (reply.how !== "ACKNOWLEDGED") note(`${step} ${reply.how} ${reply.code}`);
          else {
            const { action, seq, hash } = reply;
            const call = { place: place.name, began, ended: performance.now() };
            recorded.push({ organization, step, action, seq, hash, call });
          }
          return reply;
        }),
      );
      for (const reply of replies) {
        if (reply.how === "FAULT")
          faults.push(`${step} of ${organization} failed with ${reply.code}: ${reply.message}`);
      }
      const isUnknown = replies.some(({ how }) => how === "UNKNOWN" || how === "FAULT");
      if (isUnknown) unknown += 1;
      unsure ||= isUnknown;
      const [done, again] = replies.filter((reply) => reply.how === "ACKNOWLEDGED");
      if (again !== undefined && (step !== "propose" || again.hash !== done?.hash)) {
        faults.push(`${step} of ${done?.action} of ${organization} was acknowledged at ${done?.seq} and ${again.seq}`);
      }
      if (done !== undefined) return done;
      const refused = replies.find((reply) => reply.how === "REFUSED");
      if (refused === undefined) continue;
      if (about === undefined || !unsure || !DONE_BEFORE[step].includes(refused.code)) {
        faults.push(
          `${step} of ${about?.action} of ${organization} was refused with ${refused.code}` +
            (unsure ? "" : " although no earlier attempt can have been recorded"),
        );
        throw new GivenUp();
      }
      await findOut(organization, step, about, token, deadline);
      return about;
    }
    faults.push(`${step} of ${about?.action} of ${organization} was not found out in ${PATIENCE} ms`);
    throw new GivenUp();
  }

  /** An earlier attempt took effect: its entry has to be there. */
  async function findOut(
    organization: string,
    step: Step,
    { id, action }: Acknowledged,
    token: string,
    deadline: number,
  ): Promise<void> {
    while (performance.now() < deadline) {
      const entries = await readEntries(somewhere(), id, token);
      if (entries !== undefined) {
        const entry = entries.find(({ type }) => type === ENTRY_OF[step]);
        if (entry === undefined) {
          faults.push(`${step} of ${action} of ${organization} was refused as done, and there is no ${ENTRY_OF[step]}`);
          throw new GivenUp();
        }
        recorded.push({ organization, step, action, seq: entry.seq, hash: entry.hash, call: undefined });
        return;
      }
      await pause(20 + 60 * random());
    }
    faults.push(`the entries of ${action} of ${organization} could not be read`);
    throw new GivenUp();
  }

  function note(what: string): void {
    turnedAway.set(what, (turnedAway.get(what) ?? 0) + 1);
  }

  async function cycle(organization: string, agent: string, approver: string): Promise<void> {
    const key = randomUUID();
    const proposal = {
      idempotencyKey: key,
      platform: "reservations",
      tool: "cancel_reservation",
      arguments: { reservation_id: key },
    };
    const proposed = await carryOut(organization, "propose", proposal, agent);
    const { id: actionId, digest } = proposed;
    await carryOut(organization, "approve", { actionId, digest }, approver, proposed);
    const { token } = await carryOut(organization, "claim", { actionId }, agent, proposed);
    await carryOut(organization, "redeem", { token, digest }, agent, proposed);
    const outcome = { actionId, outcome: "SUCCEEDED", result: { cancelled: true } };
    await carryOut(organization, "complete", outcome, agent, proposed);
    finished += 1;
  }

  const running = Promise.all(
    Array.from({ length: clients }, async (_, n) => {
      const organization = organizations.names[n % organizations.names.length] as string;
      const agent = await organizations.token(organization, "agent");
      const approver = await organizations.token(organization, "approver");
      while (going) {
        try {
          await cycle(organization, agent, approver);
        } catch (error) {
          if (!(error instanceof GivenUp)) throw error;
        }
      }
    }),
  );
  return {
    recorded,
    faults,
    turnedAway,
    unknown: () => unknown,
    finished: () => finished,
    async stop() {
      going = false;
      await running;
    },
  };
}

/**
 * Seconds from `from` until the server at `place`, or any when that is undefined, has acknowledged each step that was called after
 * `since`; undefined while one is missing.
 */
export function recoveryOf(
  recorded: readonly Recorded[],
  place: string | undefined,
  since: number,
  from = since,
): ReadonlyMap<Step, number> | undefined {
  const times = new Map<Step, number>();
  for (let at = recorded.length - 1; at >= 0; at -= 1) {
    const { step, call } = recorded[at] as Recorded;
    if (call === undefined || (place !== undefined && call.place !== place)) continue;
    if (call.ended < since) break;
    if (call.began < since) continue;
    times.set(step, Math.min(times.get(step) ?? Number.POSITIVE_INFINITY, (call.ended - from) / 1_000));
  }
  return times.size === STEPS.length ? times : undefined;
}
