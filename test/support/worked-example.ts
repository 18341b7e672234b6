import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";

/** A code block of Markdown with the name of a file behind its language. */
export interface Block {
  /** `diff`: a change of the file; any other: all of it. */
  readonly language: string;
  /** From the root of the project. */
  readonly file: string;
  readonly text: string;
}

/** The blocks of `markdown` that name a file, in their order. */
export function blocksOf(markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^```(\w+) (\S+)\n([\s\S]*?)^```$/gm)].map(
    ([, language = "", file = "", text = ""]) => ({ language, file, text }),
  );
}

/** The lines of `text` that begin with one of `signs`, without these. */
function linesWith(text: string, signs: string): string {
  const lines = text.replace(/\n$/, "").split("\n");
  return lines
    .filter((line) => signs.includes(line[0] ?? " "))
    .map((line) => line.slice(1))
    .join("\n");
}

/**
 * `content` with the changes of `diff`, whose parts are separated by lines `@@`. Throws for a part whose old lines do not
 * stand in `content` once.
 */
export function changed(content: string, diff: string): string {
  return diff.split(/^@@\n/m).reduce((now, part) => {
    const [before, after] = [linesWith(part, " -"), linesWith(part, " +")];
    const times = now.split(before).length - 1;
    if (before === "" || times !== 1) throw new Error(`stands there ${times} times, and not once:\n${before}`);
    return now.replace(before, () => after);
  }, content);
}

/** Does to the project at `root` what `block` says. */
export async function apply(root: string, { language, file, text }: Block): Promise<void> {
  const name = path.join(root, file);
  await mkdir(path.dirname(name), { recursive: true });
  if (language !== "diff") return writeFile(name, text, { flag: "wx" });
  await writeFile(name, changed(await readFile(name, "utf8"), text));
}
