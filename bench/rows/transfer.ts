import assert from "node:assert/strict";
import type { TransferActs } from "../peers/transfer-client.ts";
import type { UpstreamActs } from "../peers/upstream.ts";
import { now } from "../support/clock.ts";
import { atMost, type Figure, number } from "../support/figure.ts";
import { addClient, prepareHome, startGateway, tokenFor } from "../support/home.ts";
import { type Peer, startPeer } from "../support/peer.ts";
import { peakMiB, resetPeak, residentMiB } from "../support/resident.ts";
import type { Row } from "../support/row.ts";
import { median, spreadOf } from "../support/statistics.ts";
import { postScript, wrk } from "../support/wrk.ts";

const BYTES = 2 ** 30;

/** By how much the peak of resident memory was above what was there before, MiB. */
interface Pair {
  readonly growth: number;
  /** MiB/s. */
  readonly up: number;
  readonly down: number;
}

/** Bodies stream: what one takes of memory does not depend on its size. */
export const transfer: Row = {
  name: "transfer",
  tools: ["taskset", "wrk"],
  measure: async ({ say, rounds }) => {
    const upstream = startPeer<UpstreamActs>("upstream.ts");
    const home = prepareHome(await upstream.ask("listen"));
    const credentials = addClient(home, "bench");
    const client = startPeer<TransferActs>("transfer-client.ts");
    const pairs: Pair[][] = [];
    for (let round = 0; round < (rounds >= 5 ? 3 : 1); round += 1) {
      // A new one each time: a process that has seen a transfer has grown already.
      const gateway = await startGateway(home);
      const url = `${gateway.url}/api/echo`;
      const token = await tokenFor(gateway.url, credentials);
      await wrk(url, postScript([token]), { seconds: 4 });
      const before = residentMiB(gateway.pid);
      const two = [];
      for (const which of ["first", "second"]) {
        const pair = await both({ upstream, client, url, token, pid: gateway.pid, before });
        say(
          `${which} pair: +${number(pair.growth)} MiB on ${number(before)}; up ${number(pair.up)}, down ${number(pair.down)} MiB/s`,
        );
        two.push(pair);
      }
      pairs.push(two);
      await gateway.stop();
    }
    const figure = (which: number, what: string): Figure => {
      const growths = pairs.map((two) => two[which]?.growth ?? Number.NaN);
      return {
        what,
        value: median(growths),
        spread: spreadOf(growths),
        unit: "MiB",
        target: atMost(32, 8),
        from: "peak, against what was resident after a warm-up of small calls; SHA-256 equal at both ends",
      };
    };
    return [
      figure(0, "upload and download of 1 GiB: resident memory growth"),
      figure(1, "a second upload and download of 1 GiB: growth by then"),
    ];
  },
};

interface Ways {
  readonly upstream: Peer<UpstreamActs>;
  readonly client: Peer<TransferActs>;
  readonly url: string;
  readonly token: string;
  readonly pid: number;
  readonly before: number;
}

const both = async ({ upstream, client, url, token, pid, before }: Ways): Promise<Pair> => {
  resetPeak(pid);
  const started = now();
  const { sent, received } = await client.ask("upload", { url, token, bytes: BYTES });
  assert.deepEqual(received, sent, "the upstream received something else than was uploaded");
  assert.equal(sent.bytes, BYTES);
  const uploaded = now();
  const arrived = await client.ask("download", { url, token, bytes: BYTES });
  const downloaded = now();
  assert.deepEqual(arrived, await upstream.ask("sent"), "the client received something else than was sent");
  assert.equal(arrived.bytes, BYTES);
  const rate = (ms: number): number => BYTES / 2 ** 20 / (ms / 1_000);
  return { growth: peakMiB(pid) - before, up: rate(uploaded - started), down: rate(downloaded - uploaded) };
};
