import { fstatSync } from "node:fs";
import { MultiBar, Presets, type SingleBar } from "cli-progress";

/** Where progress is shown; `process.stderr`, so that a result on stdout can be piped. */
export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

export interface Progress {
  /** Moves on, and names what was just done or is being done. */
  advance(by?: number, what?: string): void;
  /** Sets the number of things done so far. */
  to(value: number, total?: number): void;
  /** Prints a message on a line of its own. */
  say(message: string): void;
  finish(): void;
}

export interface ProgressOptions {
  readonly stream?: ProgressStream;
  /** Milliseconds before a bar is drawn. */
  readonly showAfter?: number;
  /** The file descriptor to which the command writes data meanwhile. */
  readonly data?: number | undefined;
}

const plainSteps = 10;

/** Milliseconds that work may take before a bar is drawn: shorter work is over before anybody could read it. */
const SHOW_AFTER = 500;

function bar(label: string, initialTotal: number, stream: ProgressStream, showAfter: number): Progress {
  const drawn = new MultiBar(
    {
      format: `${label} [{bar}] {value}/{total} {duration_formatted} {what}`,
      stream,
      hideCursor: true,
      fps: 15,
      // What follows, the result, starts on an empty line.
      clearOnComplete: true,
      // Below a message, the bar is drawn again although nothing of it has changed.
      forceRedraw: true,
      // Ctrl-C is the command's to handle.
      gracefulExit: false,
    },
    Presets.shades_grey,
  );
  const due = Date.now() + showAfter;
  let total = initialTotal;
  let value = 0;
  let only: SingleBar | undefined;
  const show = (what: string) => {
    if (only !== undefined) return only.update(value, { what });
    if (Date.now() < due) return;
    only = drawn.create(total, value, { what });
    drawn.update();
  };
  return {
    advance(by = 1, what = "") {
      value += by;
      show(what);
    },
    to(newValue, newTotal = total) {
      value = newValue;
      total = newTotal;
      only?.setTotal(total);
      show("");
    },
    say(message) {
      if (!drawn.isActive) return print(stream, message);
      drawn.log(`${message}\n`);
      // Messages stand above the bar, which is drawn again below them.
      drawn.update();
    },
    finish() {
      if (drawn.isActive) drawn.stop();
    },
  };
}

function print(stream: ProgressStream, message: string): void {
  stream.write(`${message}\n`);
}

/** A line each time another tenth is done: readable in the log of a CI job. */
function lines(label: string, initialTotal: number, stream: ProgressStream): Progress {
  let total = initialTotal;
  let value = 0;
  let printed = 0;
  const show = () => {
    const tenth = total === 0 ? plainSteps : Math.floor((value / total) * plainSteps);
    if (tenth <= printed) return;
    printed = tenth;
    stream.write(`${label} ${value}/${total}\n`);
  };
  return {
    advance(by = 1) {
      value += by;
      show();
    },
    to(newValue, newTotal = total) {
      value = newValue;
      total = newTotal;
      show();
    },
    say: (message) => print(stream, message),
    finish() {},
  };
}

/** Messages, but no progress. */
function messagesOnly(stream: ProgressStream): Progress {
  return { advance() {}, to() {}, say: (message) => print(stream, message), finish() {} };
}

/**
 * A progress bar on a terminal, gone when the work is done; plain lines anywhere else. Unless `data` is a file, the data may
 * end on the same terminal (`countersign export | grep …`), so no bar is drawn there.
 */
export function startProgress(
  label: string,
  total: number,
  { stream = process.stderr, showAfter = SHOW_AFTER, data }: ProgressOptions = {},
): Progress {
  if (stream.isTTY !== true) return lines(label, total, stream);
  return data === undefined || fstatSync(data).isFile() ? bar(label, total, stream, showAfter) : messagesOnly(stream);
}

const frames = ["-", "\\", "|", "/"];
const frameTime = 125;

/** Shows on a terminal that something is under way whose length nobody knows; nothing anywhere else. */
export async function whileWaiting<Result>(
  label: string,
  work: Promise<Result>,
  stream: ProgressStream = process.stderr,
): Promise<Result> {
  if (stream.isTTY !== true) return work;
  const started = Date.now();
  let frame = 0;
  const turning = setInterval(() => {
    stream.write(`\r${label} ${frames[frame++ % frames.length]} ${Math.floor((Date.now() - started) / 1_000)}s`);
  }, frameTime);
  try {
    return await work;
  } finally {
    clearInterval(turning);
    // Back to the start of the line, and clear it (ECMA-48 EL).
    if (frame > 0) stream.write("\r\u001b[K");
  }
}
