import { DomainError } from "../../errors.ts";

/** What happened of one kind in one minute after the first: how often, by name, and the entries shown in sum. */
export interface TallyCounts {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly times: ReadonlyMap<string, number>;
  readonly shown: number;
}

export interface TallyOptions<Subject> {
  /** Records the first of a minute. Its failure is the caller's. */
  readonly open: (subject: Subject, what: string, shown: number, from: number) => Promise<unknown>;
  /** Records what came after the first. Tried again until it succeeds. */
  readonly close: (subject: Subject, counts: TallyCounts) => Promise<unknown>;
  readonly onError: (error: unknown, subject: Subject, counts: TallyCounts) => void;
  readonly now: () => number;
  /** Milliseconds: how long is counted together. Windows begin at multiples of it. */
  readonly window: number;
  /** Subjects counted at a time; beyond it each time is recorded by itself. */
  readonly capacity: number;
}

export interface Tally<Subject> {
  /** Resolves once this is in the ledger, or is counted to be. Rejects with what `open` rejects with. */
  add(key: string, subject: () => Subject, what: string, shown: number): Promise<void>;
  /** Records what was counted, whether or not its window is over. Nothing is counted afterwards. */
  stop(): Promise<void>;
}

class Window<Subject> {
  readonly subject: Subject;
  readonly from: number;
  readonly opened: Promise<unknown>;
  readonly times = new Map<string, number>();
  shown = 0;
  /** Nothing is added any more. */
  over = false;
  /** The closing entry on its way. */
  telling: Promise<void> | undefined;

  constructor(subject: Subject, from: number, opened: Promise<unknown>) {
    this.subject = subject;
    this.from = from;
    this.opened = opened;
  }

  add(what: string, shown: number): void {
    this.times.set(what, (this.times.get(what) ?? 0) + 1);
    this.shown += shown;
  }
}

/** TallyCounts per subject and window. One lookup for each time after the first. */
export function createTally<Subject>(options: TallyOptions<Subject>): Tally<Subject> {
  const { open, close, onError, now, window: length, capacity } = options;
  const windows = new Map<string, Window<Subject>>();
  /** Those whose end came and whose closing entry is not written yet. */
  const ended = new Set<Window<Subject>>();
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function add(key: string, subject: () => Subject, what: string, shown: number): Promise<void> {
    const from = Math.floor(now() / length) * length;
    const known = windows.get(key);
    if (known === undefined || known.from !== from) return begin(key, subject(), what, shown, from);
    // Whoever comes while the first is being written waits for it: nothing is shown that nobody heard of.
    await known.opened;
    if (known.over) return add(key, subject, what, shown);
    known.add(what, shown);
  }

  async function begin(key: string, subject: Subject, what: string, shown: number, from: number): Promise<void> {
    end(key);
    const opened = open(subject, what, shown, from);
    if (stopped || windows.size + ended.size >= capacity) return void (await opened);
    const window = new Window(subject, from, opened);
    windows.set(key, window);
    schedule();
    try {
      await opened;
    } catch (error) {
      window.over = true;
      if (windows.get(key) === window) windows.delete(key);
      throw error;
    }
  }

  /** Takes the window of `key`, if there is one, from those that count to those to be told. */
  function end(key: string): void {
    const window = windows.get(key);
    if (window === undefined) return;
    windows.delete(key);
    window.over = true;
    if (window.times.size > 0) ended.add(window);
  }

  function schedule(): void {
    if (stopped || timer !== undefined) return;
    const left = length - (now() % length);
    timer = setTimeout(() => {
      timer = undefined;
      void endOfWindow();
    }, left).unref();
  }

  async function endOfWindow(): Promise<void> {
    const from = Math.floor(now() / length) * length;
    for (const [key, window] of windows) if (window.from !== from) end(key);
    await tell();
    if (windows.size + ended.size > 0) schedule();
  }

  async function tell(): Promise<void> {
    await Promise.all([...ended].map((window) => (window.telling ??= tellOne(window))));
  }

  async function tellOne(window: Window<Subject>): Promise<void> {
    const { subject, from, times, shown } = window;
    const counts: TallyCounts = {
      from,
      to: Math.min(from + length, now()),
      times,
      shown,
    };
    try {
      await close(subject, counts);
      ended.delete(window);
    } catch (error) {
      window.telling = undefined;
      onError(error, subject, counts);
    }
  }

  return {
    add,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      timer = undefined;
      await Promise.allSettled([...windows.values()].map(({ opened }) => opened));
      for (const key of [...windows.keys()]) end(key);
      await tell();
      if (ended.size > 0) await tell();
      if (ended.size > 0) throw new UntoldError(ended.size);
    },
  };
}

/** The server stops and what was counted could not be recorded; the log has it. */
export class UntoldError extends DomainError<"UNTOLD"> {
  constructor(windows: number) {
    super("UNTOLD", `what ${windows} readers read could not be recorded; see the log`);
  }
}
