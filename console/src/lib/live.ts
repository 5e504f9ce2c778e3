import { useEffect, useRef, useState } from 'react';

import { lintel } from '#lib/api.ts';

/** How live data comes: by stream, by asking again while the stream is down, or not while paused. */
export type LiveState = 'live' | 'polling' | 'paused';

/**
 * Follows topics of `/v1/stream` while the screen is open; `onEvent` gets each event's name and data. While no event comes for
 * six seconds the state is `polling`, and the caller asks by itself.
 */
export function useLive(
  topics: readonly string[],
  onEvent: (event: string, data: unknown) => void,
  paused = false,
): LiveState {
  const [streaming, setStreaming] = useState(false);
  const handler = useRef(onEvent);
  handler.current = onEvent;
  const wanted = topics.join(',');
  useEffect(() => {
    if (paused || wanted === '') return;
    const stop = new AbortController();
    let quiet: ReturnType<typeof setTimeout> | undefined;
    const run = async () => {
      try {
        for await (const { event, data } of lintel.follow(wanted.split(','), { signal: stop.signal })) {
          setStreaming(true);
          clearTimeout(quiet);
          quiet = setTimeout(() => setStreaming(false), 6_000);
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
  }, [wanted, paused]);
  return paused ? 'paused' : streaming ? 'live' : 'polling';
}
