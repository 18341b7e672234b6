import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * The document at `url` as Chromium has it once its scripts have run, as HTML. `settle`: milliseconds of the page's own
 * clock, which runs ahead while nothing is being fetched. Rejects when Chromium fails or takes longer than a minute.
 */
export async function renderPage(url: string | URL, settle = 10_000): Promise<string> {
  const profile = await mkdtemp(path.join(tmpdir(), "countersign-chromium-"));
  try {
    const options = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      `--user-data-dir=${profile}`,
      `--virtual-time-budget=${settle}`,
      "--dump-dom",
    ];
    const { stdout } = await run("chromium", [...options, String(url)], {
      timeout: 60_000,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  } finally {
    await rm(profile, { recursive: true, force: true });
  }
}
