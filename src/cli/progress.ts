import { Presets, SingleBar } from "cli-progress";

/** Where progress is shown; `process.stderr`, so that a result on stdout can be piped. */
export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

export interface Progress {
  /** Moves on, and names what was just done or is being done. */
  advance(by?: number, what?: string): void;
  /** Sets the number of things done so far. */
  to(value: number, total?: number): void;
  finish(): void;
}

const plainSteps = 10;

/** Milliseconds that work may take before a bar is drawn: shorter work is over before anybody could read it. */
const SHOW_AFTER = 500;

function bar(label: string, initialTotal: number, stream: ProgressStream, showAfter: number): Progress {
  const drawn = new SingleBar(
    {
      format: `${label} [{bar}] {value}/{total} {duration_formatted} {what}`,
      stream,
      hideCursor: true,
      fps: 15,
      // What follows, the result, starts on an empty line.
      clearOnComplete: true,
      // Ctrl-C is the command's to handle.
      gracefulExit: false,
    },
    Presets.shades_grey,
  );
  const due = Date.now() + showAfter;
  let total = initialTotal;
  let value = 0;
  const show = (what: string) => {
    if (drawn.isActive) drawn.update(value, { what });
    else if (Date.now() >= due) drawn.start(total, value, { what });
  };
  return {
    advance(by = 1, what = "") {
      value += by;
      show(what);
    },
    to(newValue, newTotal = total) {
      value = newValue;
      total = newTotal;
      if (drawn.isActive) drawn.setTotal(total);
      show("");
    },
    finish: () => drawn.stop(),
  };
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
    finish() {},
  };
}

/** A progress bar on a terminal, gone when the work is done; plain lines anywhere else. */
export function startProgress(
  label: string,
  total: number,
  stream: ProgressStream = process.stderr,
  showAfter = SHOW_AFTER,
): Progress {
  return stream.isTTY === true ? bar(label, total, stream, showAfter) : lines(label, total, stream);
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
