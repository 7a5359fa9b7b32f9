import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { aigw, aigwJson, startGatewayProcess, temporaryHome } from "../../support/aigw.ts";
import { bearer, startEcho, tokenFor } from "../../support/http.ts";
import { within } from "../../support/until.ts";
import { never, type Row, type Run } from "../row.ts";

const PER_SECOND = 500;
const LANES = 8;

/** Calls the gateways in turn, so many times a second; the token may be replaced meanwhile. */
const startLoad = (run: Run, urls: readonly string[], first: string) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  run.after(() => agent.destroy());
  const refused: number[] = [];
  const load = { token: first, calls: 0, refused };
  let stopped = false;
  const call = (url: string): Promise<number> =>
    new Promise((settle, reject) => {
      const req = request(`${url}/api/echo`, { agent, headers: bearer(load.token) }, (response) => {
        response.resume().on("end", () => settle(response.statusCode ?? 0));
      });
      req.on("error", reject);
      req.end();
    });
  const lane = async (index: number): Promise<void> => {
    for (let turn = index; !stopped; turn += 1) {
      const next = performance.now() + (LANES * 1000) / PER_SECOND;
      const status = await call(urls[turn % urls.length] ?? "");
      load.calls += 1;
      if (status !== 200) refused.push(status);
      await delay(Math.max(0, next - performance.now()));
    }
  };
  const done = Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)));
  done.catch(() => undefined);
  const stop = async (): Promise<void> => {
    stopped = true;
    await within("the load to end", done);
  };
  return { load, stop };
};

export const grace: Row = {
  name: "grace",
  promise: "Rotation with --grace at 500 requests/s, 50 times over two gateways: no valid client is refused",
  minutes: 8,
  onMongodb: true,
  run: async (run) => {
    const home = temporaryHome(run);
    const echo = await startEcho(run);
    await aigwJson(home, ["service", "add", "echo", echo.url]);
    const { password } = await aigwJson<{ password: string }>(home, ["client", "add", "john", "--limit", "10000000"]);
    const gateways = [await startGatewayProcess(run, home), await startGatewayProcess(run, home)];
    const urls = gateways.map(({ url }) => url);
    const old = await tokenFor(urls[0] ?? "", "john", password);
    const { load, stop } = startLoad(run, urls, old);
    const started = performance.now();
    const rotations = run.size(50, 3);
    let failed = 0;
    for (let round = 0; round < rotations; round += 1) {
      const { code } = await aigw(home, ["secret", "rotate", "--grace", "60m", "--yes"]);
      if (code !== 0) failed += 1;
      // A new token from one gateway must work on every other at once; every other round the old one goes on.
      if (round % 2 === 1) load.token = await tokenFor(urls[round % 4 === 1 ? 0 : 1] ?? "", "john", password);
    }
    await stop();
    const seconds = (performance.now() - started) / 1000;
    run.say(`${load.calls} calls in ${seconds.toFixed(0)} s, ${(load.calls / seconds).toFixed(0)} a second`);
    return [never("rotations that failed", failed, rotations), never("calls refused", load.refused.length, load.calls)];
  },
};
