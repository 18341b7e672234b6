import { DomainError } from "../errors.ts";
import { instant } from "../facts/entry.ts";

/** The counts of one subject in one minute, without the first occurrence: how often, by name, and entries shown in total. */
export interface TallyCounts {
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  readonly times: ReadonlyMap<string, number>;
  readonly shown: number;
}

export interface TallyOptions<Subject> {
  /** Records the first occurrence in a minute. If it rejects, `add` rejects. */
  readonly open: (subject: Subject, what: string, shown: number, from: number) => Promise<unknown>;
  /** Records the counts of the others. Retried until it succeeds. */
  readonly close: (subject: Subject, counts: TallyCounts) => Promise<unknown>;
  readonly onError: (error: unknown, subject: Subject, counts: TallyCounts) => void;
}

/** How long is counted, and how much. */
export interface TallyLimits {
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
  /** Length of a window in milliseconds, a minute unless given. Windows begin at multiples of it. */
  readonly window?: number | undefined;
  /** Maximum number of subjects that are counted, 10,000 unless given; occurrences of others are recorded individually. */
  readonly capacity?: number | undefined;
}

const MINUTE = 60_000;
const CAPACITY = 10_000;

/** The window of some counts as entries have it (RFC 3339). */
export function windowOf({ from, to }: Pick<TallyCounts, "from" | "to">) {
  return { from: instant(new Date(from)), to: instant(new Date(to)) };
}

export interface Tally<Subject> {
  /** Resolves when the occurrence is recorded or counted. Rejects with the error of `open`. */
  add(key: string, subject: () => Subject, what: string, shown: number): Promise<void>;
  /** Records all counts, also those of the current window. Nothing is counted afterwards. */
  stop(): Promise<void>;
}

class Window<Subject> {
  readonly subject: Subject;
  readonly from: number;
  readonly opened: Promise<unknown>;
  readonly times = new Map<string, number>();
  shown = 0;
  /** Whether the window has ended. */
  over = false;
  /** The closing entry while it is being recorded. */
  recording: Promise<void> | undefined;

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

/** Counts per subject and window. Each occurrence after the first costs one lookup. */
export function createTally<Subject>(options: TallyOptions<Subject>, limits: TallyLimits = {}): Tally<Subject> {
  const { open, close, onError } = options;
  const { now = Date.now, window: length = MINUTE, capacity = CAPACITY } = limits;
  const windows = new Map<string, Window<Subject>>();
  /** Windows that have ended and are not recorded yet. */
  const ended = new Set<Window<Subject>>();
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  async function add(key: string, subject: () => Subject, what: string, shown: number): Promise<void> {
    const from = Math.floor(now() / length) * length;
    const known = windows.get(key);
    if (known === undefined || known.from !== from) return begin(key, subject(), what, shown, from);
    // Concurrent calls wait until the first is recorded: nothing is returned before.
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

  /** Ends the window of `key`, if there is one, so that it is recorded. */
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
    await recordEnded();
    if (windows.size + ended.size > 0) schedule();
  }

  async function recordEnded(): Promise<void> {
    await Promise.all([...ended].map((window) => (window.recording ??= recordOne(window))));
  }

  async function recordOne(window: Window<Subject>): Promise<void> {
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
      window.recording = undefined;
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
      await recordEnded();
      if (ended.size > 0) await recordEnded();
      if (ended.size > 0) throw new UnrecordedCountsError(ended.size);
    },
  };
}

/** The counts could not be recorded before the server stopped; the log has them. */
export class UnrecordedCountsError extends DomainError<"COUNTS_NOT_RECORDED"> {
  constructor(windows: number) {
    super(
      "COUNTS_NOT_RECORDED",
      `what ${windows} callers did again within a minute could not be recorded; see the log`,
    );
  }
}
