import { describe, expect, it } from "vitest";
import { openSocket } from "./client.ts";
import { serveApi } from "./served-api.ts";

const ORIGIN = "https://console.example";
const { api } = serveApi({ corsOrigins: [ORIGIN] });

describe("a configured origin", () => {
  const preflight = (origin: string) =>
    fetch(api.url, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });

  it("may call, and takes no credentials of the browser along", async () => {
    const asked = await preflight(ORIGIN);
    expect(asked.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    expect(asked.headers.get("access-control-allow-headers")).toContain("authorization");
    expect(asked.headers.get("access-control-allow-credentials")).not.toBe("true");
    const answered = await api.post('{"query":"{__typename}"}', { origin: ORIGIN });
    expect(answered.headers.get("access-control-allow-origin")).toBe(ORIGIN);
  });

  it("may open a connection", async () => {
    const client = await openSocket(api.wsUrl, { headers: { origin: ORIGIN } });
    client.socket.close();
    expect((await client.closed).code).toBeLessThan(4000);
  });

  it("is the only one", async () => {
    expect((await preflight("https://evil.example")).headers.get("access-control-allow-origin")).not.toBe(
      "https://evil.example",
    );
    await expect(openSocket(api.wsUrl, { headers: { origin: "https://evil.example" } })).rejects.toThrow("403");
  });
});
