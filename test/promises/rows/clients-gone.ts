import { readdirSync, readlinkSync } from "node:fs";
import { request } from "node:http";
import { startGatewayProcess } from "../../support/aigw.ts";
import { bearer, startUpstream, tokenFor } from "../../support/http.ts";
import { allUsage, prepareHome, UNLIMITED, withHome } from "../../support/prepared-home.ts";
import { until, within } from "../../support/until.ts";
import { atMost, exactly, never, quantile, type Row } from "../row.ts";

const AT_ONCE = 20;
const ABORTED_WITHIN_MS = 1_000;

const sockets = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;

export const clientsGone: Row = {
  name: "clients-gone",
  promise:
    "A client gone mid-stream, 1,000 times: the upstream aborted within 1 s each, no socket left, every event written",
  minutes: 5,
  run: async (run) => {
    const leftAt = new Map<string, number>();
    const abortMs: number[] = [];
    const upstream = await startUpstream(run, (incoming, outgoing) => {
      const id = String(incoming.headers["x-request-id"]);
      outgoing.writeHead(200, { "Content-Type": "text/event-stream" });
      const timer = setInterval(() => outgoing.write("data: tick\n\n"), 10);
      outgoing.on("close", () => {
        clearInterval(timer);
        abortMs.push(performance.now() - (leftAt.get(id) ?? Number.NaN));
      });
    });
    const { home, passwords } = await prepareHome(run, {
      services: { live: upstream.url },
      clients: { john: UNLIMITED },
    });
    const { url, pid } = await startGatewayProcess(run, home);
    const token = await tokenFor(url, "john", passwords["john"] ?? "");
    const before = sockets(pid);
    const times = run.size(1_000, 40);
    const leave = (id: string): Promise<void> =>
      within(
        "a stream to begin",
        new Promise((settle, reject) => {
          const req = request(
            `${url}/api/live/events`,
            { headers: { ...bearer(token), "X-Request-ID": id }, agent: false },
            (response) => {
              response.on("error", () => undefined);
              response.once("data", () => {
                leftAt.set(id, performance.now());
                req.destroy();
                settle();
              });
            },
          );
          req.on("error", (error) => {
            if (!leftAt.has(id)) reject(error);
          });
          req.end();
        }),
      );
    for (let done = 0; done < times; done += AT_ONCE)
      await Promise.all(
        Array.from({ length: Math.min(AT_ONCE, times - done) }, (_, index) => leave(`gone-${done + index}`)),
      );
    await until("the upstream to be told of all", () => abortMs.length >= times);
    const left = await until("the sockets to close", () => sockets(pid) <= before && sockets(pid) + 1).catch(
      () => sockets(pid) + 1,
    );
    const events = await until("the usage of all", () =>
      withHome(home, async ({ store }) => {
        const all = await allUsage(store);
        return all.length >= times && all;
      }),
    );
    return [
      atMost("upstream aborted after the client left, the slowest", Math.max(...abortMs), ABORTED_WITHIN_MS, "ms"),
      atMost("the same, median", quantile(abortMs, 0.5), ABORTED_WITHIN_MS, "ms"),
      never("sockets left in the gateway", Math.max(0, left - 1 - before), times),
      exactly("usage events", events.length, times),
      never(
        "of them with another outcome than aborted",
        events.filter(({ outcome }) => outcome !== "aborted").length,
        times,
      ),
    ];
  },
};
