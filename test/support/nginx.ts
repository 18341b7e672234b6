import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathOf } from "./programs.ts";

export interface Nginx {
  /** Scheme, host and port. */
  readonly url: string;
  stop(): Promise<void>;
}

/** A port that is free now. */
async function freePort(): Promise<number> {
  const trial = createServer().listen(0, "127.0.0.1");
  await once(trial, "listening");
  const { port } = trial.address() as AddressInfo;
  trial.close();
  await once(trial, "close");
  return port;
}

/** nginx with its defaults, whose one server has the directives `locations`. */
function configurationOf(folder: string, port: number, locations: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  return `daemon off;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  ${temporary.join("\n  ")}
  server {
    listen 127.0.0.1:${port};
    ${locations}
  }
}
`;
}

/** Starts Debian's nginx in front of something, and waits until it accepts connections. */
export async function startNginx(locations: string): Promise<Nginx> {
  const folder = await mkdtemp(path.join(tmpdir(), "countersign-nginx-"));
  // As root, nginx works as another user.
  await chmod(folder, 0o755);
  const port = await freePort();
  const file = path.join(folder, "nginx.conf");
  await writeFile(file, configurationOf(folder, port, locations));
  const child = spawn(pathOf("nginx") ?? "nginx", ["-p", folder, "-c", file], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}: ${said}`);
    const accepts = await fetch(new URL("/no-such-page", url)).then(
      (response) => response.body?.cancel().then(() => true) ?? true,
      () => false,
    );
    if (accepts) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    url,
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
