import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { startGatewayProcess } from "../../support/aigw.ts";
import { startUpstream, tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { until, within } from "../../support/until.ts";
import { startPeer } from "../load/peer.ts";
import { type Probed, startProbe } from "../load/probe.ts";
import { residentMib } from "../resident.ts";
import { atMost, count, exactly, never, quantile, type Row, type Run, type Seen } from "../row.ts";

const TIMES_BARE = 4;
const MOST_MIB = 500;

/** Something that answers `/health` and passes `/api/…` on. */
interface Site {
  readonly url: string;
  readonly pid: number;
}

interface Both {
  readonly health: Probed;
  readonly call: Probed;
  readonly resident: number;
}

/** Brings the load, and takes it away again. */
type Load = (run: Run, site: Site, token: string) => Promise<() => void>;

/** They ask for 64 MiB each, and read none of it. */
const nonReaders =
  (clients: number): Load =>
  async (run, { url }, token) => {
    const sockets = await Promise.all(
      Array.from({ length: clients }, async () => {
        const socket = connect(Number(new URL(url).port), "127.0.0.1");
        run.after(() => socket.destroy());
        socket.on("error", () => undefined);
        socket.pause();
        await within("a connection", new Promise<void>((open) => socket.once("connect", () => open())));
        socket.write(`GET /api/large/large HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`);
        return socket;
      }),
    );
    return () => {
      for (const socket of sockets) socket.destroy();
    };
  };

/** They send 64 MiB each to somebody who reads none of it. */
const deafUploads =
  (clients: number): Load =>
  async (run, { url }, token) => {
    const { child } = await startPeer(run, "uploaders.ts", new URL(url).port, "/api/large/deaf", token, `${clients}`);
    return () => child.kill("SIGKILL");
  };

const measure = async (run: Run, site: Site, token: string, load: Load): Promise<Both> => {
  const probes = [startProbe(run, `${site.url}/health`), startProbe(run, `${site.url}/api/quick/x`, token)];
  const end = await load(run, site, token);
  await delay(run.size(6_000, 2_000));
  const [health, call] = await Promise.all(probes.map((probe) => probe.stop()));
  const resident = residentMib(site.pid);
  end();
  await until("it to be quiet again", async () => {
    const probe = startProbe(run, `${site.url}/health`);
    await delay(200);
    return (await probe.stop()).p99 < 50;
  });
  return { health, call, resident } as Both;
};

const PIPELINED = 5_000;

/** Calls without waiting, on one connection. @returns the paths of the calls, as the answers came */
const pipelined = async (run: Run, url: string, token: string): Promise<string[]> => {
  const socket: Socket = connect(Number(new URL(url).port), "127.0.0.1");
  run.after(() => socket.destroy());
  let text = "";
  socket.setEncoding("latin1").on("data", (part: string) => {
    text += part;
  });
  const call = (n: number): string =>
    `GET /api/slow/${n} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n${n === PIPELINED - 1 ? "Connection: close\r\n" : ""}\r\n`;
  socket.write(Array.from({ length: PIPELINED }, (_, n) => call(n)).join(""));
  await within("the answers", new Promise((closed) => socket.once("close", closed)), 120_000);
  return text.match(/(?<=\r\n\r\n)\/\d+(?=HTTP|$)/g) ?? [];
};

export const nonReadersRow: Row = {
  name: "non-readers",
  promise:
    "200 clients that do not read large answers, 200 uploads that nobody reads: p99 of /health and of calls < 4 × a bare Node proxy's own under the same load; 5,000 pipelined calls are one at a time",
  minutes: 10,
  run: async (run) => {
    const large = await startPeer(run, "large-upstream.ts");
    const quick = await startPeer(run, "large-upstream.ts");
    let open = 0;
    let most = 0;
    let connections = 0;
    const slow = await startUpstream(run, (incoming, outgoing) => {
      open += 1;
      most = Math.max(most, open);
      setImmediate(() => {
        open -= 1;
        outgoing.end(incoming.url);
      });
    });
    slow.server.on("connection", () => {
      connections += 1;
    });
    const services = { large: large.url, quick: quick.url, slow: slow.url };
    const { home, passwords } = await prepareHome(run, { services, clients: { jane: UNLIMITED } });
    const gateway = await startGatewayProcess(run, home);
    const bareProxy = await startPeer(run, "bare-proxy.ts", large.url);
    const bare = { url: bareProxy.url, pid: bareProxy.child.pid ?? 0 };
    const token = await tokenFor(gateway.url, "jane", passwords["jane"] ?? "");
    const seen: Seen[] = [];
    for (const [what, load] of Object.entries({
      "200 that do not read": nonReaders(200),
      "200 uploads that nobody reads": deafUploads(200),
    })) {
      const own: Both[] = [];
      const others: Both[] = [];
      for (let round = 0; round < run.size(5, 1); round += 1) {
        own.push(await measure(run, gateway, token, load));
        others.push(await measure(run, bare, token, load));
      }
      for (const [which, name] of [
        ["health", "/health"],
        ["call", "calls"],
      ] as const) {
        const p99 = (of: readonly Both[]): number =>
          quantile(
            of.map((both) => both[which].p99),
            0.5,
          );
        run.say(`${what}: p99 of ${name} ${p99(own).toFixed(1)} ms, bare ${p99(others).toFixed(1)} ms`);
        const probed = own.map((both) => both[which]);
        seen.push(
          atMost(`${what}: p99 of ${name}, times bare's`, p99(own) / p99(others), TIMES_BARE, "×"),
          never(
            `${what}: ${name} that failed`,
            probed.reduce((sum, { failed }) => sum + failed, 0),
            probed.reduce((sum, { calls }) => sum + calls, 0),
          ),
        );
      }
      seen.push(atMost(`${what}: resident memory`, Math.max(...own.map(({ resident }) => resident)), MOST_MIB, "MiB"));
    }
    const paths = await pipelined(run, gateway.url, token);
    return [
      ...seen,
      exactly(
        `${count(PIPELINED)} pipelined calls: answered, in order`,
        paths.filter((path, index) => path === `/${index}`).length,
        PIPELINED,
      ),
      exactly("of them at the upstream at once", most, 1),
      atMost("opened to the upstream for them", connections, 3, "connections"),
    ];
  },
};
