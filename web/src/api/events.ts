// The server's events: one stream for all tabs of this browser, because a
// browser opens only a few connections to one server. One tab holds the
// stream and tells the others; when it goes, another takes its place.
const CHANNEL = "guruconnect.events";
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

export type Heard = "changed" | "lost";

/** Hear of changes until the answer is called. */
export function listen(hear: (heard: Heard) => void): () => void {
  const stop = new AbortController();
  const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);
  if (channel) channel.onmessage = (event: MessageEvent<Heard>) => hear(event.data);
  const tell = (heard: Heard) => {
    hear(heard);
    channel?.postMessage(heard);
  };
  const locks = (navigator as Partial<Navigator>).locks;
  if (locks && channel) {
    // Whoever gets the lock reads for all; given up, the next one does.
    locks.request(CHANNEL, { signal: stop.signal }, () => read(tell, stop.signal)).catch(() => undefined);
    // Another tab reads already: what it told before is not known here.
    hear("changed");
  } else {
    void read(tell, stop.signal);
  }
  return () => {
    stop.abort();
    channel?.close();
  };
}

/** Read the stream, opened again by us where the browser gives it up. */
async function read(tell: (heard: Heard) => void, stop: AbortSignal): Promise<void> {
  let pause = FIRST_PAUSE;
  while (!stop.aborted) {
    await new Promise<void>((closed) => {
      const source = new EventSource("/api/events");
      const end = () => {
        stop.removeEventListener("abort", end);
        source.close();
        closed();
      };
      const changed = () => {
        pause = FIRST_PAUSE;
        tell("changed");
      };
      source.addEventListener("resync", changed);
      source.addEventListener("session", changed);
      source.addEventListener("error", () => {
        tell("lost");
        // An answer other than a stream closes it for good: come back later.
        if (source.readyState === EventSource.CLOSED) end();
      });
      stop.addEventListener("abort", end);
    });
    if (stop.aborted) return;
    await new Promise((passed) => setTimeout(passed, pause * (0.75 + Math.random() / 2)));
    pause = Math.min(LONGEST_PAUSE, pause * 2);
  }
}
