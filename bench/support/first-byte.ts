import type { StreamActs } from "../peers/stream-client.ts";
import type { Peer } from "./peer.ts";
import { quantile } from "./statistics.ts";

export const AT_ONCE = 128;
/** As a model thinks before its first token; the streams' first events come one by one, not all in one moment. */
const THINKING_MS = [100, 400] as const;

/** Milliseconds: from the upstream's writing it, and from the request less the upstream's thinking. */
interface Waited {
  readonly write: number;
  readonly request: number;
}

/** How long the first byte of {@link AT_ONCE} event streams at once takes, over that many bursts of them. */
export const firstByteOf = async (
  client: Peer<StreamActs>,
  target: { readonly url: string; readonly token: string },
  bursts: number,
): Promise<{ readonly p50: Waited; readonly p99: Waited }> => {
  const afterWrite: number[] = [];
  const afterRequest: number[] = [];
  for (let turn = 0; turn < bursts; turn += 1) {
    const one = await client.ask("burst", { ...target, streams: AT_ONCE, waitMs: THINKING_MS });
    afterWrite.push(...one.afterWrite);
    afterRequest.push(...one.afterRequest);
  }
  const at = (share: number): Waited => ({
    write: quantile(afterWrite, share),
    request: quantile(afterRequest, share),
  });
  return { p50: at(0.5), p99: at(0.99) };
};
