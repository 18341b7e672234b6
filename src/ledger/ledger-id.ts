import type { LedgerId } from "../facts/entry.ts";

/** Organization and region, as the database accepts them for a head. */
const LEDGER_ID = /^[a-z0-9][a-z0-9-]{0,62}\/[a-z0-9][a-z0-9-]{0,62}$/;
/** A ledger, a space, and a position. The longest there can be: nothing longer is looked at. */
const ANNOUNCEMENT = /^([^ ]{3,127}) \d{1,19}$/;

/** Whether `text` can be the name of a ledger: whoever changed the database, or notifies, may have written anything. */
export function isLedgerId(text: string): text is LedgerId {
  return LEDGER_ID.test(text);
}

/**
 * The ledger that an announcement, `<ledger> <seq>`, is about; undefined for anything else. Who has learned the name of the channel
 * can notify, so that the ledger need not exist.
 */
export function announcedLedger(payload: string): LedgerId | undefined {
  const name = ANNOUNCEMENT.exec(payload)?.[1];
  return name !== undefined && isLedgerId(name) ? name : undefined;
}
