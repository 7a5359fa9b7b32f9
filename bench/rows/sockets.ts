import { setTimeout as delay } from "node:timers/promises";
import type { SocketActs } from "../peers/socket-peer.ts";
import { now } from "../support/clock.ts";
import { cpuSeconds } from "../support/cpu-time.ts";
import { atLeast, atMost, type Figure, number } from "../support/figure.ts";
import { addClient, aigw, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { startPeer } from "../support/peer.ts";
import { until } from "../support/processes.ts";
import { mostOpenFiles, residentMiB } from "../support/resident.ts";
import { interleave, ratioOf } from "../support/rounds.ts";
import type { Row } from "../support/row.ts";
import { median } from "../support/statistics.ts";

const TALKING = 64;
const BYTES = 100;
const IDLE = 5_000;
const REVOKED = 1_000;
/** Files of the gateway that are not sockets. */
const OTHER_FILES = 200;

/** WebSockets: messages a second, what an idle one takes, and how soon a thousand are cut. */
export const sockets: Row = {
  name: "sockets",
  tools: ["taskset"],
  measure: async ({ say, rounds, seconds }) => {
    const service = startPeer<SocketActs>("socket-peer.ts");
    const client = startPeer<SocketActs>("socket-peer.ts");
    const direct = await service.ask("listen");
    const home = prepareHome(direct);
    const credentials = addClient(home, "bench");
    const gateway = await startGateway(home);
    const token = await tokenFor(gateway.url, credentials);
    const through = `${gateway.url}/api/echo`;

    /** Processor time of the gateway, and of the two ends, for a message, µs: what a busy machine tells as well. */
    const cost = { gateway: Number.NaN, ends: Number.NaN };
    const cpuOfEnds = (): number => cpuSeconds(client.pid) + cpuSeconds(service.pid);
    const exchange = async (url: string): Promise<number> => {
      const before = { gateway: cpuSeconds(gateway.pid), ends: cpuOfEnds() };
      const started = now();
      const rate = await client.ask("exchange", { url, token, sockets: TALKING, bytes: BYTES, seconds });
      const messages = (rate * (now() - started)) / 1_000;
      if (url === through) cost.gateway = ((cpuSeconds(gateway.pid) - before.gateway) / messages) * 1e6;
      else cost.ends = ((cpuOfEnds() - before.ends) / messages) * 1e6;
      return rate;
    };
    const rates = await interleave(
      { direct: () => exchange(direct), gateway: () => exchange(through) },
      rounds,
      (name) => exchange(name === "direct" ? direct : through),
    );
    say(
      `direct ${number(median(rates.direct))}, through ${number(median(rates.gateway))} messages/s; processor time of a message: ${number(cost.gateway)} µs in the gateway, ${number(cost.ends)} µs at the two ends`,
    );
    const talking: Figure = {
      what: `WebSocket messages of ${BYTES} bytes there and back, ${TALKING} sockets, against direct`,
      ...ratioOf(rates.gateway, rates.direct),
      unit: "×",
      target: atLeast(0.6, 0.8),
      from: `${number(median(rates.gateway))} of ${number(median(rates.direct))} messages/s`,
    };

    const count = Math.min(IDLE, Math.floor((mostOpenFiles(gateway.pid) - OTHER_FILES) / 2));
    if (count < IDLE) say(`the limit of open files allows one gateway ${count} sockets, two files each`);
    await until("the sockets to be closed", async () => (await service.ask("isOpen")) === 0);
    await delay(1_000);
    const before = residentMiB(gateway.pid);
    const held = await client.ask("hold", { url: through, token, sockets: count });
    await delay(5_000);
    const each = ((residentMiB(gateway.pid) - before) * 1_024) / count;
    if (held !== count || (await service.ask("isOpen")) !== count) throw new Error(`${held} of ${count} were held`);
    say(`${count} idle: ${number(each)} KiB each`);
    const idle: Figure = {
      what: `resident memory of an idle WebSocket, of ${count}`,
      value: each * 1_024,
      unit: "bytes",
      target: atMost(60 * 1_024, 30 * 1_024),
      from: `${number(each)} KiB each, above what was resident after the messages`,
    };
    await client.ask("closeAll");
    await until("the sockets to be closed", async () => (await service.ask("isOpen")) === 0);

    await client.ask("hold", { url: through, token, sockets: REVOKED });
    const at = now();
    aigw(home, "client", "revoke", "bench", "--yes");
    const told = now();
    await until("the clients' ends", async () => (await client.ask("isOpen")) === 0);
    await until("the service's ends", async () => (await service.ask("isOpen")) === 0);
    const over = now();
    await gateway.stop();
    const cut: Figure = {
      what: `${REVOKED} open WebSockets of a client that is revoked: until all are closed at both ends`,
      value: Math.max(0, over - told),
      unit: "ms",
      target: atMost(1_000, 500),
      from: `from the end of the command, which took ${number(told - at)} ms`,
    };
    return [talking, idle, cut];
  },
};
