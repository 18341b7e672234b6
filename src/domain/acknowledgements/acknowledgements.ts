import type { LedgerEntry, LedgerId } from "../../facts/entry.ts";
import { Erasable } from "../../facts/erasable.ts";
import type { FactDraft } from "../../facts/registry.ts";
import { isText } from "../../facts/text.ts";
import type { Ledgers } from "../../ledger/ledger.ts";
import type { Watch } from "../../ledger/watch/watch.ts";
import { type Attribute, createCommit } from "../commit.ts";
import type { Administers } from "../directory/directory.ts";
import type { Caller } from "../identity/principal.ts";
import { withLedgerErrors } from "../ledger-errors.ts";
import { AcknowledgementRefusal } from "./errors.ts";

/** UTF-16 code units. */
const MAX_NOTE = 2_000;

export interface Acknowledgements {
  /**
   * Records that `caller` has looked into the problems of `ledger` that were found and not acknowledged, after which entries are
   * recorded again. Throws AcknowledgementRefusal, LedgerUnavailableError.
   */
  acknowledge(caller: Caller, ledger: LedgerId, note: string): Promise<{ readonly entry: LedgerEntry }>;
}

export interface AcknowledgementsOptions {
  readonly ledgers: Pick<Ledgers, "append" | "damaged">;
  readonly watch: Pick<Watch, "toAcknowledge" | "acknowledged">;
  readonly administers: Administers;
  readonly attribute: Attribute | "none";
}

export function createAcknowledgements(options: AcknowledgementsOptions): Acknowledgements {
  const { ledgers, watch, administers, attribute } = options;
  const commit = createCommit({
    ledgers: {
      damaged: ledgers.damaged,
      append: (ledger, body, how) => ledgers.append(ledger, body, { ...how, whenStopped: true }),
    },
    attribute,
  });
  return {
    async acknowledge(caller, ledger, note) {
      if (!isText(note, MAX_NOTE)) {
        const message = `must say what came of it, in at most ${MAX_NOTE} characters of well-formed Unicode without U+0000`;
        throw new AcknowledgementRefusal("INVALID_INPUT", message, { path: ["note"] });
      }
      const entry = await commit<FactDraft<"LEDGER_ACKNOWLEDGED">["problems"], LedgerEntry>({
        ledger,
        by: caller,
        async load() {
          // The entry records the roles of the call, which have to say so as well.
          if (!caller.principal.roles.includes("admin") || !(await administers(caller))) {
            throw new AcknowledgementRefusal("ADMINISTRATORS_ONLY", "this is for administrators, who are people");
          }
          return withLedgerErrors(watch.toAcknowledge(ledger));
        },
        decide(problems) {
          if (problems.length === 0) {
            const message = "no problem of this ledger is known that was not acknowledged before";
            throw new AcknowledgementRefusal("NOTHING_TO_ACKNOWLEDGE", message);
          }
          const fact = { type: "LEDGER_ACKNOWLEDGED" as const, problems, note: new Erasable(note) };
          return { kind: "record", fact, result: (recorded) => recorded };
        },
      });
      await withLedgerErrors(watch.acknowledged(ledger));
      return { entry };
    },
  };
}
