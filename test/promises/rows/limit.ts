import { request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { startGatewayProcess } from "../../support/aigw.ts";
import { bearer, startEcho, tokenFor } from "../../support/http.ts";
import { prepareHome } from "../../support/prepared-home.ts";
import { within } from "../../support/until.ts";
import { exactly, never, type Row } from "../row.ts";

const LIMIT = 60;
const WINDOW_MS = 60_000;
/** Calls reach the upstream sooner or later after their permit: so much is left out of the window that is looked at. */
const JITTER_MS = 500;

const call = (url: string, token: string): Promise<number> =>
  within(
    "a call",
    new Promise((settle, reject) => {
      const req = request(`${url}/api/echo`, { headers: bearer(token), agent: false }, (response) => {
        response.resume().on("end", () => settle(response.statusCode ?? 0));
      });
      req.on("error", reject);
      req.end();
    }),
    30_000,
  );

export const limit: Row = {
  name: "limit",
  promise:
    "A limit of 60 over three gateways, 600 requests at once, then steady pressure for three minutes with a restart: exactly 60 in any rolling 60 s",
  minutes: 8,
  onMongodb: true,
  run: async (run) => {
    const admittedAt: number[] = [];
    const echo = await startEcho(run);
    echo.server.on("request", (incoming) => {
      if (incoming.headers["x-client-id"] === "john") admittedAt.push(performance.now());
    });
    const { home, passwords } = await prepareHome(run, {
      services: { echo: echo.url },
      clients: { john: { limit: LIMIT }, jane: { limit: LIMIT } },
    });
    let gateways = await Promise.all([1, 2, 3].map(() => startGatewayProcess(run, home)));
    const urlOf = (index: number): string => gateways[index % gateways.length]?.url ?? "";
    const [john, jane] = [
      await tokenFor(urlOf(0), "john", passwords["john"] ?? ""),
      await tokenFor(urlOf(1), "jane", passwords["jane"] ?? ""),
    ];
    const burst = await Promise.all(Array.from({ length: 600 }, (_, index) => call(urlOf(index), john)));
    const janes = await Promise.all(Array.from({ length: 30 }, (_, index) => call(urlOf(index), jane)));
    const admittedInBurst = burst.filter((status) => status === 200).length;

    const seconds = run.size(180, 6);
    const statuses = new Map<number, number>();
    const end = performance.now() + seconds * 1_000;
    const restartAt = performance.now() + (seconds * 1_000) / 2;
    let restarted = false;
    while (performance.now() < end) {
      const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => call(urlOf(index), john)));
      for (const status of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (!restarted && performance.now() > restartAt) {
        restarted = true;
        for (const { child, done } of gateways) {
          child.kill("SIGKILL");
          await done;
        }
        gateways = await Promise.all([1, 2, 3].map(() => startGatewayProcess(run, home)));
      }
      await delay(100);
    }
    // The upstream's own record: how many came in any window that begins with one of them.
    const inWindow = admittedAt.map(
      (from) => admittedAt.filter((at) => at >= from && at < from + WINDOW_MS - JITTER_MS).length,
    );
    const windows = Math.floor(seconds / 60);
    run.say(
      `${admittedAt.length} admitted in all; ${[...statuses].map(([status, times]) => `${status}: ${times}`).join(", ")}`,
    );
    return [
      exactly("admitted of 600 at once", admittedInBurst, LIMIT),
      exactly("most in any rolling 60 s", Math.max(...inWindow), LIMIT),
      {
        what: "admitted over the time",
        seen: String(admittedAt.length),
        promised: `≥ ${LIMIT * Math.max(1, windows)}`,
        kept: admittedAt.length >= LIMIT * Math.max(1, windows),
      },
      never(
        "answers other than 200 and 429",
        [...statuses].reduce((sum, [status, times]) => sum + (status === 200 || status === 429 ? 0 : times), 0),
        [...statuses.values()].reduce((sum, times) => sum + times, 0),
      ),
      never("refusals of another client meanwhile", janes.filter((status) => status !== 200).length, janes.length),
    ];
  },
};
