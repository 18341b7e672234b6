import { execFileSync } from "node:child_process";
import { type BrowserContext, chromium } from "playwright-core";

/** What a person types where the browser prompts for a name and a password. */
export interface Typed {
  readonly username: string;
  readonly password: string;
}

/** Does `work` in a Chromium (the system's) without a history, in a window of 1280 by 800 pixels. */
export async function inChromium<Result>(
  work: (context: BrowserContext) => Promise<Result>,
  httpCredentials?: Typed,
): Promise<Result> {
  const executablePath = execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  try {
    const viewport = { width: 1280, height: 800 };
    const context = await browser.newContext({ viewport, ...(httpCredentials && { httpCredentials }) });
    context.setDefaultTimeout(20_000);
    return await work(context);
  } finally {
    await browser.close();
  }
}
