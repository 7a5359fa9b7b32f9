import { statSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { aigw, aigwJson, startGatewayProcess } from "../../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { until } from "../../support/until.ts";
import { atMost, exactly, never, quantile, type Row } from "../row.ts";

const MOST_MIB = 5;
const AT_ONCE = 32;

const diskMib = (home: string): number => {
  let bytes = 0;
  for (const name of ["aigw.db", "aigw.db-wal", "aigw.usage.db", "aigw.usage.db-wal"]) {
    try {
      bytes += statSync(join(home, name)).size;
    } catch {
      // It is not there while nobody needs it.
    }
  }
  return bytes / 2 ** 20;
};

interface Report {
  readonly total: { readonly requests: number; readonly denied: number; readonly limited: number };
}

export const withoutARight: Row = {
  name: "without-a-right",
  promise:
    "A client without a right (revoked, over its limit, made-up services) calls 100,000 times: at most 5 MB on disk, sums exact, others unaffected",
  minutes: 8,
  run: async (run) => {
    const echo = await startEcho(run);
    const { home, passwords } = await prepareHome(run, {
      services: { echo: echo.url },
      clients: { revoked: {}, limited: {}, curious: {}, jane: UNLIMITED },
    });
    const { url } = await startGatewayProcess(run, home);
    const token = async (name: string): Promise<string> => tokenFor(url, name, passwords[name] ?? "");
    const tokens = {
      revoked: await token("revoked"),
      limited: await token("limited"),
      curious: await token("curious"),
    };
    const jane = await token("jane");
    await aigw(home, ["client", "revoke", "revoked", "--yes"]);
    const before = diskMib(home);
    const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
    run.after(() => agent.destroy());
    const calls = run.size(100_000, 2_000);
    const statuses = new Map<number, number>();
    const janes: number[] = [];
    let janesFailed = 0;
    const call = (n: number): Promise<number> =>
      new Promise((settle, reject) => {
        const [name, service] = (
          [
            ["revoked", "echo"],
            ["limited", "echo"],
            ["curious", `made-up-${n}`],
          ] as const
        )[n % 3] ?? ["revoked", "echo"];
        const req = request(`${url}/api/${service}/${n}`, { agent, headers: bearer(tokens[name]) }, (response) => {
          response.resume().on("end", () => settle(response.statusCode ?? 0));
        });
        req.on("error", reject);
        req.end();
      });
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < calls) {
        const n = next++;
        const status = await call(n);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (n % 200 === 0) {
          const started = performance.now();
          const answer = await send(`${url}/api/echo/x`, { headers: bearer(jane) });
          janes.push(performance.now() - started);
          if (answer.status !== 200) janesFailed += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    const report = await until("all of it to be in the report", async () => {
      const found = await aigwJson<Report>(home, ["usage", "report"]);
      return found.total.requests >= calls + janes.length && found;
    });
    run.say(
      `${[...statuses].map(([status, times]) => `${status}: ${times}`).join(", ")}; jane's p99 ${quantile(janes, 0.99).toFixed(1)} ms`,
    );
    const started = performance.now();
    const admin = await aigw(home, ["client", "set", "jane", "--note", "still works"]);
    const adminMs = performance.now() - started;
    return [
      atMost("disk that it added", diskMib(home) - before, MOST_MIB, "MiB"),
      exactly("requests in the report", report.total.requests, calls + janes.length),
      exactly(
        "denied and limited in the report",
        report.total.denied + report.total.limited,
        calls - (statuses.get(200) ?? 0),
      ),
      never("another client's calls that failed", janesFailed, janes.length),
      {
        what: "an admin command afterwards",
        seen: `exit ${admin.code}, ${Math.round(adminMs)} ms`,
        promised: "exit 0",
        kept: admin.code === 0,
      },
    ];
  },
};
