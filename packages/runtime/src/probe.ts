import { type Fault, splitUrl } from "@aigw/core/services";
import { Connection } from "./proxy/upstream/connection.ts";
import { type ConnectionFacts, Connector } from "./proxy/upstream/connector.ts";
import { faultOf, systemCodeOf } from "./proxy/upstream-failure.ts";

import { ALONE } from "./trial-call.ts";

export { connectionFacts } from "./follow/open-reach.ts";
export { type TrialRequest, type TrialResult, type TrialStages, trialCall } from "./trial-call.ts";

export type ProbeResult =
  | { readonly kind: "answer"; readonly status: number }
  /** `code`: the system's word for it, or OpenSSL's; may be empty. */
  | { readonly kind: "fault"; readonly fault: Fault; readonly code: string };

/**
 * A `HEAD` request to a service, without its API key, over a connection as the gateway would open it and read as the
 * gateway would read it: what stands in a call's way is found under the same name. Never throws.
 * @param url of a target
 * @param timeoutMs for the connection, and for all
 * @param facts of the service's connections
 */
export const probeService = async (url: string, timeoutMs: number, facts?: ConnectionFacts): Promise<ProbeResult> => {
  const { origin, basePath } = splitUrl(url);
  const connection = new Connection(new Connector(origin, { ...facts, openTimeoutMs: timeoutMs }), ALONE);
  const { promise, resolve } = Promise.withResolvers<ProbeResult>();
  // A connection that comes to nothing says so itself.
  const check = (): void => {
    if (!connection.opening) resolve({ kind: "fault", fault: "answer_timeout", code: "" });
  };
  const timer = setTimeout(check, timeoutMs);
  connection.request("HEAD", basePath === "" ? "/" : basePath, ["User-Agent", "aigw-doctor", "Accept", "*/*"], null, {
    onInterim: () => undefined,
    onHead: ({ status }) => resolve({ kind: "answer", status }),
    onContent: () => undefined,
    onReadEnd: () => undefined,
    onDrain: () => undefined,
    onEnd: () => undefined,
    onError: (error) => {
      resolve({ kind: "fault", fault: faultOf(error, connection, undefined), code: systemCodeOf(error) });
    },
  });
  const result = await promise;
  clearTimeout(timer);
  connection.destroy();
  return result;
};
