import { isLedgerId, type LedgerId } from "../facts/entry.ts";

/** A ledger, a space, and a position. The longest there can be: nothing longer is looked at. */
const ANNOUNCEMENT = /^([^ ]{3,127}) \d{1,19}$/;

/**
 * The ledger that an announcement, `<ledger> <seq>`, is about; undefined for anything else. Who has learned the name of the channel
 * can notify, so that the ledger need not exist.
 */
export function announcedLedger(payload: string): LedgerId | undefined {
  const name = ANNOUNCEMENT.exec(payload)?.[1];
  return name !== undefined && isLedgerId(name) ? name : undefined;
}
