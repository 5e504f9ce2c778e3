import { useEffect, useRef, useState } from 'react';

import { lintel } from '#lib/api.ts';

/** How live data comes: by stream, by asking again while the stream is down, or not while paused. */
export type LiveState = 'live' | 'polling' | 'paused';

/** The server pings every 15 s: a stream silent for longer is not one to rely on. */
const pingSilenceMs = 20_000;

/**
 * Follows topics of `/v1/stream` while the screen is open; `onEvent` gets each event's name and data. While no sign of life comes
 * the state is `polling`, and the caller asks by itself. `eventsWithinMs`: topics that tell something that often; then pings alone
 * are no life.
 */
export function useLive(
  topics: readonly string[],
  onEvent: (event: string, data: unknown) => void,
  { paused = false, eventsWithinMs }: { paused?: boolean; eventsWithinMs?: number } = {},
): LiveState {
  const [streaming, setStreaming] = useState(false);
  const handler = useRef(onEvent);
  handler.current = onEvent;
  const wanted = topics.join(',');
  useEffect(() => {
    if (paused || wanted === '') return;
    const stop = new AbortController();
    let quiet: ReturnType<typeof setTimeout> | undefined;
    const alive = () => {
      setStreaming(true);
      clearTimeout(quiet);
      quiet = setTimeout(() => setStreaming(false), eventsWithinMs ?? pingSilenceMs);
    };
    const onLink = (isUp: boolean) => {
      if (!isUp) setStreaming(false);
      else if (eventsWithinMs === undefined) alive();
    };
    const run = async () => {
      try {
        for await (const { event, data } of lintel.follow(wanted.split(','), { signal: stop.signal, onLink })) {
          if (eventsWithinMs !== undefined) alive();
          handler.current(event, JSON.parse(data));
        }
      } catch {
        // Refused, or data that is not JSON: asking again takes over and shows the problem.
      }
      setStreaming(false);
    };
    void run();
    return () => {
      stop.abort();
      clearTimeout(quiet);
    };
  }, [wanted, paused, eventsWithinMs]);
  return paused ? 'paused' : streaming ? 'live' : 'polling';
}
