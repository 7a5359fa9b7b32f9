import { createHmac } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { openSigningKey } from "@aigw/core";
import type { ReceiptJson } from "../../../packages/cli/src/json/receipt.ts";
import { aigw, aigwJson, type RunningGateway, startGatewayProcess } from "../../support/aigw.ts";
import { bearer, send, startEcho, tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED, withHome } from "../../support/prepared-home.ts";
import { until } from "../../support/until.ts";
import { isAlive, startWorkers } from "../../support/workers.ts";
import { FakedClock } from "../load/faked-clock.ts";
import { atMost, exactly, never, type Row, type Run, type Seen } from "../row.ts";

const HOUR_S = 3_600;
const LIMIT = 60;
const WINDOW_MS = 60_000;

const statusOf = async (url: string, token: string): Promise<number> =>
  (await send(`${url}/api/echo`, { headers: bearer(token) })).status;

/** How many of so many calls at once had this status. */
const among = async (times: number, status: number, url: string, token: string): Promise<number> =>
  (await Promise.all(Array.from({ length: times }, () => statusOf(url, token)))).filter((one) => one === status).length;

/** The same token, issued so much earlier. */
const issuedEarlier = (home: string, token: string, bySeconds: number): Promise<string> =>
  withHome(home, async ({ store, sealer }) => {
    const [head = "", body = ""] = token.split(".");
    const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as { iat: number; exp: number };
    const { kid } = JSON.parse(Buffer.from(head, "base64url").toString()) as { kid: string };
    const key = (await store.control.keyring()).find((one) => one.kid === kid);
    const secret = key && openSigningKey(sealer, key);
    if (secret === undefined) throw new Error(`no key ${kid}`);
    const earlier = { ...claims, iat: claims.iat - bySeconds, exp: claims.exp - bySeconds };
    const signed = `${head}.${Buffer.from(JSON.stringify(earlier)).toString("base64url")}`;
    return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
  });

/** A gateway under whose feet the clock is set. */
const jumps = async (run: Run): Promise<readonly Seen[]> => {
  const echo = await startEcho(run);
  const { home, passwords } = await prepareHome(run, {
    services: { echo: echo.url },
    clients: { john: { limit: LIMIT }, jane: UNLIMITED },
  });
  const clock = new FakedClock(run);
  const gateway = await startGatewayProcess(run, home, [], { ...clock.env });
  const { url } = gateway;
  const john = await tokenFor(url, "john", passwords["john"] ?? "");
  const jane = await tokenFor(url, "jane", passwords["jane"] ?? "");
  // So long over that it would be good again after the clock is set back.
  const over = await issuedEarlier(home, jane, HOUR_S + 600);
  // One that is nearly over is still good: the way in which the other is refused is the one that counts.
  const old = await issuedEarlier(home, jane, HOUR_S - 600);
  let refused = 0;
  let revived = 0;
  let calls = 0;
  let beyond = 0;
  const admitted: number[] = [];
  const offsets = run.size(4, 2) === 4 ? [0, HOUR_S, -2 * HOUR_S, 0] : [HOUR_S, -2 * HOUR_S];
  for (const [index, offset] of offsets.entries()) {
    const startedAt = performance.now();
    // Quick: in the window of the first burst.
    if (index === 0 || offsets.length === 4) admitted.push(await among(LIMIT + 30, 200, url, john));
    clock.set(offset);
    await until("the gateway's clock to be set", async () => {
      const { headers } = await send(`${url}/health`);
      return Math.abs(Date.parse(headers.date ?? "") - Date.now() - offset * 1_000) < 5_000;
    });
    // What runs every second has run.
    await delay(2_500);
    beyond += await among(30, 200, url, john);
    refused += (await among(200, 401, url, jane)) + (await among(10, 401, url, old));
    calls += 210;
    revived += await among(10, 200, url, over);
    // One that logs in now, and a command.
    await tokenFor(url, "jane", passwords["jane"] ?? "");
    const { code, stderr } = await aigw(home, ["client", "set", "jane", "--note", `${offset}`], {
      env: { ...clock.env },
    });
    if (code !== 0) throw new Error(`a command after the clock was set by ${offset} s: ${stderr}`);
    if (offsets.length === 4) await delay(Math.max(0, WINDOW_MS + 2_000 - (performance.now() - startedAt)));
  }
  return [
    never("valid tokens refused after the clock was set", refused, calls),
    never("expired tokens that were good again", revived, 10 * offsets.length),
    never("calls beyond the limit, after the clock was set within its window", beyond, 30 * offsets.length),
    exactly("admitted in each window, the least", Math.min(...admitted), LIMIT),
    exactly("and the most", Math.max(...admitted), LIMIT),
    never("gateways that ended", Number(!isAlive(gateway.pid)), 1),
  ];
};

/** Gateways and workers that start before the clock is set, and after. */
const eitherSide = async (run: Run): Promise<readonly Seen[]> => {
  const echo = await startEcho(run);
  const { home, passwords } = await prepareHome(run, {
    services: { echo: echo.url },
    clients: { jane: UNLIMITED, john: { limit: LIMIT } },
  });
  const workersClock = new FakedClock(run);
  const workers = await startWorkers(run, home, 2, [], { ...workersClock.env });
  const gateways: Pick<RunningGateway, "url">[] = [workers];
  for (const offset of [0, HOUR_S, -2 * HOUR_S]) {
    gateways.push(await startGatewayProcess(run, home, [], { ...new FakedClock(run, offset).env }));
  }
  // Another one takes its place, which starts behind the jump.
  workersClock.set(HOUR_S);
  await delay(1_500);
  process.kill(workers.workers[0]?.pid ?? 0, "SIGKILL");
  await until("the worker's successor", () => workers.log().filter(({ msg }) => msg === "gateway started").length >= 3);
  const logins = run.size(1_000, 24);
  const statuses = new Map<number, number>();
  for (let login = 0; login < logins; login += 1) {
    const at = gateways[login % gateways.length]?.url ?? "";
    const token = await tokenFor(at, "jane", passwords["jane"] ?? "");
    // Twice at the workers: a connection goes to one or the other.
    for (const { url } of [...gateways, workers]) {
      const status = await statusOf(url, token);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  }
  run.say(`calls after ${logins} logins: ${[...statuses].map(([status, times]) => `${status}: ${times}`).join(", ")}`);
  const calls = logins * (gateways.length + 1);
  const urls = gateways.map(({ url }) => url);
  const john = await tokenFor(urls[0] ?? "", "john", passwords["john"] ?? "");
  const admitted = await Promise.all(urls.map((url) => among(600 / urls.length, 200, url, john)));
  const { receipt } = await aigwJson<{ receipt: ReceiptJson }>(home, ["client", "revoke", "john", "--yes"]);
  const served = await Promise.all(urls.map((url) => among(10, 401, url, john)));
  const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0);
  return [
    never("calls refused, by gateways and workers on either side of a jump", calls - (statuses.get(200) ?? 0), calls),
    exactly("of 600 calls at once over gateways whose clocks differ by three hours, admitted", sum(admitted), LIMIT),
    exactly("receipts of a revocation, from those and two workers", receipt.gateways.length, gateways.length + 1),
    never("calls of the revoked client served after it", 10 * urls.length - sum(served), 10 * urls.length),
    atMost(
      "the last of them after",
      Math.max(...receipt.gateways.map(({ appliedAfterMs }) => appliedAfterMs ?? Number.POSITIVE_INFINITY)),
      1_000,
      "ms",
    ),
  ];
};

export const clock: Row = {
  name: "clock",
  promise:
    "The clock set by +1 h and −2 h: no crash, the limit unaffected, no valid token refused, no expired one good again; gateways and workers started on either side agree in 1,000 balanced logins, keep one limit, and end a client within 1 s",
  minutes: 12,
  onMongodb: true,
  needs: ["faketime"],
  run: async (run) => [...(await jumps(run)), ...(await eitherSide(run))],
};
