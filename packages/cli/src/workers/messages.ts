import type { ErrorCode, ErrorDetails } from "@aigw/core";
import type { GatewayOptions, GatewayWorker } from "@aigw/runtime";
import type { MetricFamily } from "@aigw/runtime/workers";

/** What a worker serves. Nothing secret is in it: the master key is in the home's file or in the environment. */
export interface WorkerJob
  extends Pick<GatewayOptions, "host" | "port" | "tls" | "trustProxy" | "version" | "maxStaleMs" | "drainMs"> {
  readonly worker: GatewayWorker;
  readonly home: string;
  readonly storeUrl: string;
  /** JSON lines on a terminal too. */
  readonly rawLog?: boolean;
}

export type ToWorker =
  | { readonly type: "start"; readonly job: WorkerJob }
  | { readonly type: "reload" }
  | { readonly type: "metrics"; readonly request: number }
  /** `atOnce`: without waiting for calls under way. */
  | { readonly type: "end"; readonly atOnce: boolean };

/** How often a worker that listens says that it lives. */
export const LIFE_SIGN_MS = 1_000;

export type FromWorker =
  | { readonly type: "alive" }
  | { readonly type: "listening"; readonly id: string; readonly url: string }
  | { readonly type: "failed"; readonly failure: Failure }
  | { readonly type: "metrics"; readonly request: number; readonly families: readonly MetricFamily[] };

/** An error as it goes from process to process: errors lose their class on the way. */
export type Failure =
  | {
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: ErrorDetails;
      /** The system's, such as `EADDRINUSE`. */
      readonly systemCode: string | undefined;
    }
  | { readonly code: undefined; readonly stack: string };
