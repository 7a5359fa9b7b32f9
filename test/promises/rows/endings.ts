import { type IncomingMessage, request } from "node:http";
import { aigw, aigwJson, startGatewayProcess } from "../../support/aigw.ts";
import { bearer, send, startUpstream, tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { until, within } from "../../support/until.ts";
import { atMost, never, quantile, type Row } from "../row.ts";

const WITHIN_MS = 1_000;
const MEDIAN_MS = 250;

/** How a client's right ends. The last one ends everybody's, so each round has clients of its own. */
const ENDINGS: readonly ((name: string) => readonly string[])[] = [
  (name) => ["client", "revoke", name, "--yes"],
  (name) => ["client", "passwd", name, "--yes"],
  (name) => ["client", "remove", name, "--yes"],
  (name) => ["client", "set", name, "--services", "other"],
  () => ["secret", "rotate", "--yes"],
];

interface Receipt {
  readonly receipt: { readonly complete: boolean; readonly gateways: readonly { readonly appliedAfterMs: number }[] };
}

/** Opens a stream. @returns when it was cut, by the monotonic clock */
const openStream = (url: string, token: string): Promise<{ cut: Promise<number> }> =>
  within(
    "a stream to open",
    new Promise((settle, reject) => {
      const req = request(url, { headers: bearer(token), agent: false }, (response: IncomingMessage) => {
        const cut = new Promise<number>((end) => {
          response.on("error", () => end(performance.now()));
          response.on("end", () => end(Number.POSITIVE_INFINITY));
        });
        response.once("data", () => settle({ cut }));
      });
      req.on("error", reject);
      req.end();
    }),
  );

export const endings: Row = {
  name: "endings",
  promise:
    "Revoke, new password, removal, narrowed services, rotation while requests run on two gateways, 50 times: refused and cut within 1 s",
  minutes: 8,
  onMongodb: true,
  run: async (run) => {
    const gone = new Map<string, number>();
    const upstream = await startUpstream(run, (incoming, outgoing) => {
      if (incoming.url?.startsWith("/quick")) {
        outgoing.end("ok");
        return;
      }
      outgoing.writeHead(200, { "Content-Type": "text/event-stream" });
      const timer = setInterval(() => outgoing.write("data: tick\n\n"), 10);
      outgoing.on("close", () => {
        clearInterval(timer);
        gone.set(incoming.url ?? "", performance.now());
      });
    });
    const rounds = run.size(50, ENDINGS.length);
    const names = Array.from({ length: rounds }, (_, round) => `c${round}`);
    const { home, passwords } = await prepareHome(run, {
      services: { live: upstream.url, other: upstream.url },
      clients: Object.fromEntries(names.map((name) => [name, UNLIMITED])),
    });
    const gateways = [await startGatewayProcess(run, home), await startGatewayProcess(run, home)];
    const applied: number[] = [];
    const cuts: number[] = [];
    const upstreamCuts: number[] = [];
    let served = 0;
    let calls = 0;
    let incomplete = 0;
    for (const [round, name] of names.entries()) {
      const token = await tokenFor(gateways[round % 2]?.url ?? "", name, passwords[name] ?? "");
      const streams = await Promise.all(
        gateways.map(({ url }, index) => openStream(`${url}/api/live/${name}-${index}`, token)),
      );
      // Others' calls all the while.
      let done = false;
      const statuses: { status: number; startedAt: number }[] = [];
      const load = Promise.all(
        gateways.map(async ({ url }) => {
          while (!done) {
            const startedAt = performance.now();
            const { status } = await send(`${url}/api/live/quick`, { headers: bearer(token) });
            statuses.push({ status, startedAt });
          }
        }),
      );
      const end = ENDINGS[round % ENDINGS.length]?.(name) ?? [];
      const { receipt } = await aigwJson<Receipt>(home, end);
      const receivedAt = performance.now();
      if (!receipt.complete || receipt.gateways.length !== gateways.length) incomplete += 1;
      for (const { appliedAfterMs } of receipt.gateways) applied.push(appliedAfterMs);
      for (const { cut } of streams) cuts.push(Math.max(0, (await within("a stream's end", cut, 5_000)) - receivedAt));
      for (const index of [0, 1]) {
        const at = await until("the upstream's end", () => gone.get(`/${name}-${index}`));
        upstreamCuts.push(Math.max(0, at - receivedAt));
      }
      for (const { url } of gateways) await send(`${url}/api/live/quick`, { headers: bearer(token) });
      done = true;
      await load;
      const after = statuses.filter(({ startedAt }) => startedAt > receivedAt);
      calls += after.length;
      served += after.filter(({ status }) => status === 200).length;
      if (statuses.every(({ status }) => status !== 200)) throw new Error("nothing was served before the end either");
    }
    const { code, stderr } = await aigw(home, ["doctor"]);
    run.say(`doctor afterwards: exit ${code}${code === 0 ? "" : ` ${stderr.slice(0, 200)}`}`);
    return [
      never("receipts that are not complete", incomplete, rounds),
      atMost("applied by each gateway, median", quantile(applied, 0.5), MEDIAN_MS, "ms"),
      atMost("applied by each gateway, the slowest", Math.max(...applied), WITHIN_MS, "ms"),
      atMost("stream cut at the client after the receipt, the slowest", Math.max(...cuts), WITHIN_MS, "ms"),
      atMost("stream cut at the upstream after the receipt, the slowest", Math.max(...upstreamCuts), WITHIN_MS, "ms"),
      never("calls served after a receipt", served, calls),
    ];
  },
};
