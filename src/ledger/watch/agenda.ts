import type { LedgerId } from "../../facts/entry.ts";

/** Milliseconds for which new entries of a ledger are collected before they are verified. */
const COLLECT = 500;

/** What the watcher is to do next: ledgers with new entries, and ledgers with an end to verify again, each in turn. */
export class Agenda {
  readonly #grown = new Map<LedgerId, number>();
  readonly #tails = new Set<LedgerId>();
  #tailsTurn = false;
  #wake: (() => void) | undefined;

  /** Notes that `ledger` has changed, now or a moment ago. */
  addGrown(ledger: LedgerId): void {
    if (!this.#grown.has(ledger)) this.#grown.set(ledger, performance.now() + COLLECT);
    this.#wake?.();
  }

  addTail(ledger: LedgerId): void {
    this.#tails.add(ledger);
  }

  /** Ledgers that wait to be verified. */
  get length(): number {
    return this.#grown.size + this.#tails.size;
  }

  /** Takes the next one that is due. */
  take(): { readonly ledger: LedgerId; readonly what: "grown" | "tail" } | undefined {
    const [grown] = this.#grown;
    const [tail] = this.#tails;
    const isGrownDue = grown !== undefined && grown[1] <= performance.now();
    if (tail !== undefined && (this.#tailsTurn || !isGrownDue)) {
      this.#tails.delete(tail);
      this.#tailsTurn = false;
      return { ledger: tail, what: "tail" };
    }
    if (!isGrownDue) return undefined;
    this.#grown.delete(grown[0]);
    this.#tailsTurn = true;
    return { ledger: grown[0], what: "grown" };
  }

  /** Resolves when something may be due, after `milliseconds` at most, or when `signal` aborts. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const [grown] = this.#grown.values();
      const due = grown === undefined ? milliseconds : Math.min(milliseconds, grown - performance.now());
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        this.#wake = undefined;
        resolve();
      };
      // Timers may fire a moment early.
      const timer = setTimeout(end, Math.max(1, Math.ceil(due) + 1)).unref();
      this.#wake = end;
      signal.addEventListener("abort", end);
      if (signal.aborted) end();
    });
  }
}
