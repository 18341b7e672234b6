/** A subscription over Server-Sent Events. */
export interface Events {
  /** The data of the next event. Throws when the stream ends. */
  next(): Promise<unknown>;
  close(): void;
}

const PREFIX = "event: next\ndata: ";

/** Resolves when the server has answered, which is before it sends an event. */
export async function subscribe(url: string, query: string, token: string): Promise<Events> {
  const leave = new AbortController();
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
    signal: leave.signal,
  });
  if (response.status !== 200 || response.body === null) throw new Error(`status ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffered = "";
  return {
    async next() {
      for (;;) {
        const end = buffered.indexOf("\n\n");
        if (end !== -1) {
          const event = buffered.slice(0, end);
          buffered = buffered.slice(end + 2);
          if (event.startsWith(PREFIX)) return JSON.parse(event.slice(PREFIX.length)) as unknown;
          continue;
        }
        const { value, done } = await reader.read();
        if (done) throw new Error("the subscription ended");
        buffered += value;
      }
    },
    close: () => leave.abort(),
  };
}
