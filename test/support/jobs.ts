import { setTimeout as delay } from "node:timers/promises";
import { type Answer, bearer, send } from "./http.ts";
import { until } from "./until.ts";

export { type HeldService, startHeldService } from "./held-service.ts";

/** What a client sees of its job. */
export interface ShownJob {
  readonly id: string;
  readonly state: string;
  readonly status?: number;
  readonly ahead?: number;
  readonly request_bytes: number;
  readonly result_bytes: number;
  readonly result?: string;
  readonly kept_until?: string;
  readonly callback?: { readonly tries: number; readonly delivered_at?: string; readonly problem?: string };
}

/** A client of a gateway that works with jobs. */
export interface JobClient {
  /** Sends a request that is to be a job. */
  ask(
    path: string,
    options?: { method?: string; headers?: Record<string, string>; body?: string | Buffer },
  ): Promise<Answer>;
  /** The same, when it is taken. @returns the job's id */
  submit(path: string, options?: Parameters<JobClient["ask"]>[1]): Promise<string>;
  get(path: string, headers?: Record<string, string>, method?: string): Promise<Answer>;
  show(id: string): Promise<ShownJob>;
  /** Waits until the job is in this state. */
  becomes(id: string, state: string, timeoutMs?: number): Promise<ShownJob>;
  cancel(id: string): Promise<Answer>;
}

export const jobClient = (url: string, token: string): JobClient => {
  const ask: JobClient["ask"] = (path, { method = "POST", headers = {}, body } = {}) =>
    send(`${url}${path}`, {
      method,
      headers: { ...bearer(token), Prefer: "respond-async", ...headers },
      ...(body !== undefined && { body }),
    });
  const get: JobClient["get"] = (path, headers = {}, method = "GET") =>
    send(`${url}${path}`, { method, headers: { ...bearer(token), ...headers } });
  const show = async (id: string): Promise<ShownJob> => {
    const { status, body } = await get(`/jobs/${id}`);
    if (status !== 200) throw new Error(`GET /jobs/${id}: ${status} ${body}`);
    return JSON.parse(body) as ShownJob;
  };
  return {
    ask,
    submit: async (path, options) => {
      const { status, body, headers } = await ask(path, options);
      if (status !== 202) throw new Error(`not taken: ${status} ${body}`);
      return String(headers.location).replace("/jobs/", "");
    },
    get,
    show,
    becomes: async (id, state, timeoutMs) => {
      let last: ShownJob | undefined;
      const reached = async (): Promise<ShownJob | false> => {
        last = await show(id);
        // As a client would, not as often as it can: asking is bounded.
        if (last.state !== state) await delay(40);
        return last.state === state && last;
      };
      return until(`job ${id} to be ${state}`, reached, timeoutMs).catch((error: unknown) => {
        throw new Error(`${String(error)}; it is ${JSON.stringify(last)}`);
      });
    },
    cancel: (id) => get(`/jobs/${id}`, {}, "DELETE"),
  };
};
