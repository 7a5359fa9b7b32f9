import { get, type IncomingMessage } from "node:http";
import type { TestContext } from "node:test";
import { startGatewayProcess } from "./aigw.ts";
import { bearer, send, startUpstream, tokenFor, type Upstream } from "./http.ts";
import { startNumberedLoad } from "./numbered-load.ts";
import { allUsage, prepareHome, UNLIMITED, withHome } from "./prepared-home.ts";
import { until, within } from "./until.ts";

type Owner = Pick<TestContext, "after">;

/** A service with `/quick`, `/slow` (1.2 s), `/large/<bytes>`, and streams without an end at any other path. */
export const startDrainUpstream = (t: Owner): Promise<Upstream> =>
  startUpstream(t, ({ url = "" }, outgoing) => {
    if (url === "/quick") outgoing.end("ok");
    else if (url === "/slow") setTimeout(() => outgoing.end("ok"), 1_200);
    else if (url.startsWith("/large/")) outgoing.end(Buffer.alloc(Number(url.slice(7)), "x"));
    else {
      outgoing.writeHead(200, { "Content-Type": "text/event-stream" });
      const timer = setInterval(() => outgoing.write("data: tick\n\n"), 20);
      outgoing.on("close", () => clearInterval(timer));
    }
  });

export interface Draining {
  readonly home: string;
  readonly gateway: Awaited<ReturnType<typeof startGatewayProcess>>;
  readonly token: string;
  readonly upstream: Upstream;
}

/** A gateway before that service, with a client and its token. */
export const startDraining = async (t: Owner, drainMs: number): Promise<Draining> => {
  const upstream = await startDrainUpstream(t);
  const { home, passwords } = await prepareHome(t, { services: { live: upstream.url }, clients: { john: UNLIMITED } });
  const gateway = await startGatewayProcess(t, home, ["--drain", `${drainMs}ms`]);
  const token = await tokenFor(gateway.url, "john", passwords["john"] ?? "");
  return { home, gateway, token, upstream };
};

export interface StreamEnd {
  readonly how: "broken" | "complete";
  readonly at: number;
}

const opened = (url: string, token: string, id: string): Promise<IncomingMessage> =>
  within(
    "an answer to begin",
    new Promise((settle, reject) => {
      get(url, { headers: { ...bearer(token), "X-Request-ID": id }, agent: false }, settle).on("error", reject);
    }),
  );

/** @returns once it flows; `ended` says how and when it ended */
export const openStream = async (url: string, token: string): Promise<{ ended: Promise<StreamEnd> }> => {
  const response = await opened(url, token, "the-stream");
  const ended = new Promise<StreamEnd>((settle) => {
    response.on("error", () => settle({ how: "broken", at: performance.now() }));
    response.on("end", () => settle({ how: "complete", at: performance.now() }));
  });
  await within("the first event", new Promise((settle) => response.once("data", settle)));
  return { ended };
};

/** Reads 64 KiB every 15 ms. @returns once it flows; `missing` resolves to the bytes that never came */
const readSlowly = async (url: string, token: string, bytes: number): Promise<{ missing: Promise<number> }> => {
  const response = await opened(`${url}/api/live/large/${bytes}`, token, `large-${bytes}`);
  let left = bytes;
  response.on("data", (part: Buffer) => {
    left -= part.length;
    response.pause();
    setTimeout(() => response.resume(), 15);
  });
  const missing = new Promise<number>((settle) => {
    response.on("error", () => settle(left));
    response.on("end", () => settle(left));
  });
  return { missing };
};

/** What a gateway did that was told to end under load. */
export interface Drained {
  /** When `/ready` first said no, and what it and `/health` said then. */
  readonly notReadyAt: number;
  readonly readyStatus: number;
  readonly healthStatus: number;
  /** When a connection was first refused. */
  readonly refusedAt: number;
  /** Of a call that was under way and took 1.2 s. */
  readonly slowStatus: number;
  readonly stream: { readonly how: StreamEnd["how"]; readonly ms: number };
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly served: number;
  /** Calls that failed, by the client's connection or by status. */
  readonly failed: readonly string[];
  /**
   * Calls on a new connection that the system had taken and the gateway had not when it closed its listener: reset, and
   * seen by nobody but the client.
   */
  readonly untaken: number;
  /** Calls whose usage is not what it should be, or missing. */
  readonly unrecorded: readonly string[];
  /** Bytes that slow readers did not get of answers that the service had given. */
  readonly missing: readonly number[];
}

const CONNECTIONS = 8;

/**
 * SIGTERM while short calls, a slow one, a stream and slow readers are under way. The gateway has ended when this
 * returns.
 * @param readers clients that take a large answer slowly: some seconds, which the drain time has to allow
 */
export const drainUnderLoad = async (t: Owner, of: Draining, readers = 0): Promise<Drained> => {
  const { home, token, upstream } = of;
  const { url, child, done } = of.gateway;
  const stream = await openStream(`${url}/api/live/stream`, token);
  const slowReaders = await Promise.all(
    Array.from({ length: readers }, (_, index) => readSlowly(url, token, 12 * 1024 * 1024 + index * 30_000)),
  );
  const load = startNumberedLoad(t, { url: `${url}/api/live/quick`, token, prefix: "q", connections: CONNECTIONS });
  await until("calls", () => load.calls.length > 100);
  const slow = send(`${url}/api/live/slow`, { headers: { ...bearer(token), "X-Request-ID": "the-slow-one" } });
  await until("the slow call", () => upstream.seen.some(({ url: path }) => path === "/slow"));

  const start = performance.now();
  child.kill("SIGTERM");
  const notReady = await until("the gateway not to be ready", async () => {
    const { status } = await send(`${url}/ready`);
    return status !== 200 && { status, at: performance.now() };
  });
  const { status: healthStatus } = await send(`${url}/health`);
  await until("nobody to listen", () => load.calls.some(({ result }) => result === "ECONNREFUSED"));
  await load.stop();
  const { status: slowStatus } = await slow;
  const end = await within("the stream to end", stream.ended, 60_000);
  const missing = await within("slow readers", Promise.all(slowReaders.map((reader) => reader.missing)), 60_000);
  const { code, stdout, stderr } = await within("the end", done);

  const reached = new Set(upstream.seen.flatMap(({ rawHeaders }) => rawHeaders));
  const failed = load.calls.filter(({ result }) => result !== 200 && result !== "ECONNREFUSED");
  const untaken = failed.filter(({ id, result, reused }) => result === "ECONNRESET" && !reused && !reached.has(id));
  const served = load.calls.filter(({ result }) => result === 200);
  const due = new Map([
    ...served.map(({ id }) => [id, "ok"] as const),
    ["the-slow-one", "ok"],
    ["the-stream", end.how === "broken" ? "incomplete" : "ok"],
    ...slowReaders.map((_, index) => [`large-${12 * 1024 * 1024 + index * 30_000}`, "ok"] as const),
  ]);
  const events = await withHome(
    home,
    async ({ store }) => new Map((await allUsage(store)).map((event) => [event.requestId, event.outcome])),
  );
  return {
    notReadyAt: notReady.at,
    readyStatus: notReady.status,
    healthStatus,
    refusedAt: load.calls.find(({ result }) => result === "ECONNREFUSED")?.endedAt ?? 0,
    slowStatus,
    stream: { how: end.how, ms: end.at - start },
    code,
    stdout,
    stderr,
    served: served.length,
    failed: failed.filter((call) => !untaken.includes(call)).map(({ id, result }) => `${id}: ${result}`),
    untaken: untaken.length,
    unrecorded: [
      ...[...due].filter(([id, outcome]) => events.get(id) !== outcome).map(([id]) => `${id}: ${events.get(id)}`),
      ...[...events.keys()].filter((id) => !due.has(id)).map((id) => `${id}: never made`),
    ],
    missing,
  };
};
