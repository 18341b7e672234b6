import { type Span, SpanStatusCode, trace } from "@opentelemetry/api";
import { asError } from "./errors.ts";

/**
 * Traces through the OpenTelemetry API alone: without an SDK loaded (`node --import …`) every call here is a no-op.
 */
const tracer = trace.getTracer("countersign");

/** Runs `work` in a span; an error it throws is recorded on the span and thrown on. */
export async function inSpan<T>(
  name: string,
  attributes: Record<string, string | number>,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  return tracer.startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.recordException(asError(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The active W3C trace id (32 hex), or undefined when nothing traces. */
export function activeTraceId(): string | undefined {
  const id = trace.getActiveSpan()?.spanContext().traceId;
  return id === undefined || /^0+$/.test(id) ? undefined : id;
}
