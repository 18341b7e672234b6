/** Ends of own batches that are kept to compare with: more than are ever under way at once. */
const KEPT = 64;
/** Links that wait to be looked up, at most: of more, the oldest are left to verification. */
const MAX_OPEN = 1_024;

/** A position and the hash of the entry there, as the entry behind it names it. */
export interface Link {
  readonly seq: bigint;
  readonly hash: string;
}

/**
 * Whether the batches that this process recorded in one ledger follow each other. Each names the entry before it, as the head
 * had it; a head that was changed in between shows there. Answers may come in any order.
 */
export class Links {
  readonly #ends = new Map<bigint, string>();
  readonly #open = new Map<bigint, string>();

  /** Notes a batch by the entry before it and its last one. Returns whether it fits what is known. */
  note(before: Link, end: Link): boolean {
    const known = this.#ends.get(before.seq);
    const follower = this.#open.get(end.seq);
    const fits =
      (known ?? before.hash) === before.hash && (follower ?? end.hash) === end.hash && !this.#ends.has(end.seq);
    this.#open.delete(end.seq);
    if (known === undefined) keep(this.#open, before, MAX_OPEN);
    keep(this.#ends, end, KEPT);
    return fits;
  }

  /** What batches followed that this process did not record, or not yet: to be looked up. They are forgotten here. */
  takeOpen(): readonly Link[] {
    const open = [...this.#open].map(([seq, hash]) => ({ seq, hash }));
    this.#open.clear();
    return open;
  }

  putBack(open: readonly Link[]): void {
    for (const link of open) keep(this.#open, link, MAX_OPEN);
  }
}

function keep(links: Map<bigint, string>, { seq, hash }: Link, most: number): void {
  links.set(seq, hash);
  const [oldest] = links.keys();
  if (links.size > most && oldest !== undefined) links.delete(oldest);
}
