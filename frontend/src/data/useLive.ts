import { useEffect, useState, useSyncExternalStore } from "react";
import { LiveStream, streamUrl, type LiveState } from "./stream";

const DEFAULT_PUSH_SECONDS = 2;

/** The live city; connects at once and never waits for the configuration. */
export function useLive(pushSeconds: number | undefined): LiveState {
  const [stream] = useState(() => new LiveStream({ url: streamUrl(window.location), pushSeconds: DEFAULT_PUSH_SECONDS }));
  useEffect(() => {
    stream.start();
    return () => stream.stop();
  }, [stream]);
  useEffect(() => {
    if (pushSeconds) stream.setPushSeconds(pushSeconds);
  }, [stream, pushSeconds]);
  return useSyncExternalStore(stream.subscribe, stream.get);
}
