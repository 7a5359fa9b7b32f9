import { setTimeout as delay } from "node:timers/promises";
import { startGatewayProcess } from "../../support/aigw.ts";
import { startEcho, tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { cpuMicroseconds } from "../load/cpu-time.ts";
import { during, type Probed } from "../load/probe.ts";
import { type Flood, flood, startBareServer } from "../load/processes.ts";
import { atMost, count, never, quantile, type Row, type Seen } from "../row.ts";

const TIMES_BARE = 4;

interface Round {
  readonly probed: Probed;
  readonly perSecond: number;
  /** Processor time for a request, microseconds. */
  readonly cpu: number;
}

const median = (values: readonly number[]): number => quantile(values, 0.5);

export const floods: Row = {
  name: "floods",
  promise:
    "Floods over 100 connections of /health, of nothing at all, of calls without a token, with garbage for one and with a forged one: p99 of calls < 4 × a bare Node server's own under the same flood",
  minutes: 8,
  needs: ["wrk"],
  run: async (run) => {
    const echo = await startEcho(run);
    const { home, passwords } = await prepareHome(run, { services: { echo: echo.url }, clients: { jane: UNLIMITED } });
    const gateway = await startGatewayProcess(run, home);
    const bare = await startBareServer(run);
    const token = await tokenFor(gateway.url, "jane", passwords["jane"] ?? "");
    const kinds: Readonly<Record<string, Flood>> = {
      "/health": { path: "/health" },
      "an address with nothing": { path: "/nothing" },
      "calls without a token": { path: "/api/echo/x" },
      "garbage for a token": { path: "/api/echo/x", fields: { Authorization: "Bearer garbage.garbage.garbage" } },
      "a forged token": { path: "/api/echo/x", fields: { Authorization: `Bearer ${token.slice(0, -4)}AAAA` } },
    };
    const rounds = run.size(7, 1);
    const seconds = run.size(3, 1);
    const measure = async (pid: number, url: string, probe: [string, string?], kind: Flood): Promise<Round> => {
      const before = cpuMicroseconds(pid);
      const [probed, perSecond] = await during(run, probe[0], probe[1], () => flood(run, url, kind, seconds));
      return { probed, perSecond, cpu: (cpuMicroseconds(pid) - before) / (perSecond * seconds) };
    };
    const seen: Seen[] = [];
    for (const [what, kind] of Object.entries(kinds)) {
      const own: Round[] = [];
      const others: Round[] = [];
      for (let round = 0; round < rounds; round += 1) {
        own.push(await measure(gateway.pid, gateway.url, [`${gateway.url}/api/echo/x`, token], kind));
        others.push(await measure(bare.pid, bare.url, [bare.url], kind));
        await delay(100);
      }
      const p99 = (of: readonly Round[]): number => median(of.map(({ probed }) => probed.p99));
      const cpu = (of: readonly Round[]): number => median(of.map((round) => round.cpu));
      const rate = (of: readonly Round[]): string => count(Math.round(median(of.map(({ perSecond }) => perSecond))));
      run.say(
        `${what}: p99 ${p99(own).toFixed(1)} ms, bare ${p99(others).toFixed(1)} ms; ${rate(own)}/s, bare ${rate(others)}/s; ${cpu(own).toFixed(0)} µs each, bare ${cpu(others).toFixed(0)} µs`,
      );
      seen.push(
        atMost(`${what}: p99 of calls, times bare's`, p99(own) / p99(others), TIMES_BARE, "×"),
        atMost(`${what}: processor time for one, times bare's`, cpu(own) / cpu(others), TIMES_BARE, "×"),
        never(
          `${what}: calls that failed meanwhile`,
          own.reduce((sum, { probed }) => sum + probed.failed, 0),
          own.reduce((sum, { probed }) => sum + probed.calls, 0),
        ),
      );
    }
    return seen;
  },
};
