import { DeliveryError } from "../../src/domain/channels/driver.ts";
import type { Outbound } from "../../src/domain/channels/outbound-request.ts";

/** Sends requests anywhere, for drivers that are tested alone. */
export const fetchOutbound: Outbound = async ({ method, url, headers, body, timeout = 10_000, signal }) => {
  const signals = [AbortSignal.timeout(timeout), ...(signal === undefined ? [] : [signal])];
  try {
    const response = await fetch(url, {
      method,
      headers: headers ?? {},
      body: body ?? null,
      redirect: "manual",
      signal: AbortSignal.any(signals),
    });
    return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
  } catch (error) {
    throw new DeliveryError("no response came", { retry: true, cause: error });
  }
};
