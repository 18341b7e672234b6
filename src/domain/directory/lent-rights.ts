import type { Delegation, DelegationState, DirectoryRecord } from "./record.ts";

const NONE: ReadonlySet<string> = new Set();

/** The delegations of one organization, by who lent and to whom. */
export class LentRights {
  readonly #records = new Map<string, DirectoryRecord<DelegationState>>();
  readonly #madeAt = new Map<string, bigint>();
  readonly #by = new Map<string, Set<string>>();
  readonly #to = new Map<string, Set<string>>();

  /** Takes in a later version of one. Who lent what to whom never changes. */
  apply(id: string, record: DirectoryRecord<DelegationState>): void {
    const { delegator, delegate } = record.state;
    if (!this.#records.has(id)) this.#madeAt.set(id, record.updatedSeq);
    this.#records.set(id, record);
    this.#by.set(delegator, (this.#by.get(delegator) ?? new Set()).add(id));
    this.#to.set(delegate, (this.#to.get(delegate) ?? new Set()).add(id));
  }

  find(id: string): DirectoryRecord<DelegationState> | undefined {
    return this.#records.get(id);
  }

  get(id: string): Delegation | undefined {
    const record = this.#records.get(id);
    return record && { ...record.state, id, madeSeq: this.#madeAt.get(id) ?? record.updatedSeq };
  }

  all(): readonly Delegation[] {
    return [...this.#records.keys()].flatMap((id) => this.get(id) ?? []);
  }

  by(delegatorId: string): readonly Delegation[] {
    return [...(this.#by.get(delegatorId) ?? NONE)].flatMap((id) => this.get(id) ?? []);
  }

  to(delegateId: string): readonly Delegation[] {
    return [...(this.#to.get(delegateId) ?? NONE)].flatMap((id) => this.get(id) ?? []);
  }
}
