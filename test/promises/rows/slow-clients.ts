import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { startGatewayProcess } from "../../support/aigw.ts";
import { bearer, send, startUpstream, tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { residentMib } from "../resident.ts";
import { atMost, never, quantile, type Row, type Run } from "../row.ts";

const MOST_MIB = 500;
/** While they hold their connections, others are served as if they were not there. */
const MOST_P99_MS = 250;

const open = (run: Run, url: string, localAddress: string): Promise<Socket> =>
  new Promise((settle, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), localAddress });
    run.after(() => socket.destroy());
    socket.on("error", reject);
    socket.on("connect", () => {
      socket.removeListener("error", reject);
      socket.on("error", () => socket.destroy());
      settle(socket);
    });
  });

/** What another client sees meanwhile. */
const probe = async (url: string, token: string, seconds: number): Promise<{ ms: number[]; failed: number }> => {
  const ms: number[] = [];
  let failed = 0;
  const end = performance.now() + seconds * 1_000;
  while (performance.now() < end) {
    const started = performance.now();
    const { status } = await send(`${url}/api/quick/x`, { headers: bearer(token) }).catch(() => ({ status: 0 }));
    if (status === 200) ms.push(performance.now() - started);
    else failed += 1;
    await delay(10);
  }
  return { ms, failed };
};

export const slowClients: Row = {
  name: "slow-clients",
  promise:
    "1,000 slow clients (head, body, read) and 10,000 idle connections: others are served, resident memory ≤ 500 MB",
  minutes: 6,
  run: async (run) => {
    const large = Buffer.alloc(4 * 1024 * 1024, 0x61);
    const quick = await startUpstream(run, (incoming, outgoing) => {
      incoming.resume();
      if (incoming.url === "/large") outgoing.end(large);
      else outgoing.end("ok");
    });
    const { home, passwords } = await prepareHome(run, {
      services: { quick: quick.url },
      clients: { john: UNLIMITED, jane: UNLIMITED },
    });
    const { url, pid } = await startGatewayProcess(run, home);
    const [john, jane] = [
      await tokenFor(url, "john", passwords["john"] ?? ""),
      await tokenFor(url, "jane", passwords["jane"] ?? ""),
    ];
    const quiet = await probe(url, jane, 3);
    const host = new URL(url).host;
    const auth = `Authorization: Bearer ${john}\r\n`;
    const dribble: (() => void)[] = [];
    const slow = run.size(1_000, 30);
    for (let index = 0; index < slow; index += 1) {
      const socket = await open(run, url, `127.0.1.${1 + (index % 200)}`);
      if (index % 3 === 0) {
        socket.write("POST /api/quick/x HTTP/1.1\r\n");
        dribble.push(() => socket.write("X-A: b\r\n"));
      } else if (index % 3 === 1) {
        socket.write(`POST /api/quick/x HTTP/1.1\r\nHost: ${host}\r\n${auth}Content-Length: 1000000\r\n\r\n`);
        dribble.push(() => socket.write("x"));
      } else {
        socket.pause();
        socket.write(`GET /api/quick/large HTTP/1.1\r\nHost: ${host}\r\n${auth}\r\n`);
        // Reads a little and stops again.
        dribble.push(() => socket.read(1));
      }
    }
    const dribbling = setInterval(() => {
      for (const one of dribble) one();
    }, 1_000);
    run.after(() => clearInterval(dribbling));
    const idle = run.size(10_000, 200);
    for (let index = 0; index < idle; index += 1) await open(run, url, `127.0.2.${1 + (index % 200)}`);
    run.say(`${slow} slow and ${idle} idle connections are open`);
    const { ms, failed } = await probe(url, jane, run.size(20, 3));
    const resident = residentMib(pid);
    const health = await send(`${url}/health`);
    const p99 = quantile(ms, 0.99);
    run.say(`p99 ${quantile(quiet.ms, 0.99).toFixed(1)} ms before, ${p99.toFixed(1)} ms meanwhile`);
    return [
      never("calls of another client that failed", failed, ms.length + failed),
      atMost("p99 of its calls meanwhile", p99, MOST_P99_MS, "ms"),
      atMost("resident memory", resident, MOST_MIB, "MiB"),
      { what: "/health", seen: String(health.status), promised: "200", kept: health.status === 200 },
    ];
  },
};
