import { type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { addService, type UsageEvent } from "@aigw/core";
import { startGatewayProcess } from "../../support/aigw.ts";
import { bearer, tokenFor } from "../../support/http.ts";
import { allUsage, prepareHome, UNLIMITED, withHome } from "../../support/prepared-home.ts";
import { until, within } from "../../support/until.ts";
import { residentMib } from "../resident.ts";
import { atMost, count, never, type Row, type Run } from "../row.ts";

const TIMEOUT_MS = 1_000;
const IDLE_MS = 1_500;
/** The promise for what is known at once; and what the gateway may take beyond a time limit, which it looks at every 100 ms. */
const AT_ONCE_MS = 1_000;
const LATE_MS = 500;

const BODY = "x".repeat(1_000);
const WHOLE = `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n`;
const CHUNKED = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n`;
const CHUNK = `${BODY.length.toString(16)}\r\n${BODY}\r\n`;

/** What a call must come to. */
interface Expected {
  /** 0: broken off within the answer. */
  readonly status: number;
  readonly outcome: UsageEvent["outcome"];
  readonly ms: readonly [from: number, to: number];
}

const unreachable: Expected = { status: 502, outcome: "upstream_error", ms: [0, AT_ONCE_MS] };
const brokenOff: Expected = { status: 0, outcome: "incomplete", ms: [0, AT_ONCE_MS] };
const good: Expected = { status: 200, outcome: "ok", ms: [0, AT_ONCE_MS] };

interface Fault {
  readonly act: (socket: Socket) => unknown;
  readonly expected: Expected;
}

const later = (act: () => unknown): unknown => setTimeout(act, 30);

const FAULTS: Readonly<Record<string, Fault>> = {
  reset: { act: (socket) => socket.resetAndDestroy(), expected: unreachable },
  "no-answer": { act: (socket) => socket.end(), expected: unreachable },
  "half-a-head": { act: (socket) => socket.end("HTTP/1.1 200 OK\r\nConte"), expected: unreachable },
  "not-http": { act: (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"), expected: unreachable },
  "two-lengths": {
    act: (socket) => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n${BODY}`),
    expected: unreachable,
  },
  "length-and-coding": {
    act: (socket) => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNK}`),
    expected: unreachable,
  },
  "endless-head": {
    act: (socket) => socket.write(`HTTP/1.1 200 OK\r\n${"X-More: of the same\r\n".repeat(5_000)}`),
    expected: unreachable,
  },
  hangs: {
    act: () => undefined,
    expected: { status: 504, outcome: "timeout", ms: [TIMEOUT_MS, TIMEOUT_MS + LATE_MS] },
  },
  "hangs-in-the-head": {
    act: (socket) => socket.write("HTTP/1.1 200 OK\r\nConte"),
    expected: { status: 504, outcome: "timeout", ms: [TIMEOUT_MS, TIMEOUT_MS + LATE_MS] },
  },
  "hangs-in-a-length": {
    act: (socket) => socket.write(WHOLE + BODY.slice(1)),
    expected: { ...brokenOff, ms: [IDLE_MS, IDLE_MS + LATE_MS] },
  },
  "hangs-in-chunks": {
    act: (socket) => socket.write(CHUNKED + CHUNK),
    expected: { ...brokenOff, ms: [IDLE_MS, IDLE_MS + LATE_MS] },
  },
  "closes-in-a-length": { act: (socket) => socket.end(WHOLE + BODY.slice(1)), expected: brokenOff },
  "closes-in-chunks": { act: (socket) => socket.end(CHUNKED + CHUNK), expected: brokenOff },
  "resets-in-a-length": {
    act: (socket) => socket.write(WHOLE + BODY.slice(1), () => later(() => socket.resetAndDestroy())),
    expected: brokenOff,
  },
  "resets-in-chunks": {
    act: (socket) => socket.write(CHUNKED + CHUNK, () => later(() => socket.resetAndDestroy())),
    expected: brokenOff,
  },
  "resets-what-ends-with-it": {
    act: (socket) => socket.write(`HTTP/1.1 200 OK\r\n\r\n${BODY}`, () => later(() => socket.resetAndDestroy())),
    expected: brokenOff,
  },
  "bad-chunks": {
    act: (socket) => socket.write(CHUNKED + CHUNK, () => later(() => socket.write("nonsense\r\n"))),
    expected: brokenOff,
  },
  redirects: {
    act: (socket) => socket.end("HTTP/1.1 302 Found\r\nLocation: /redirected\r\nContent-Length: 0\r\n\r\n"),
    expected: { ...good, status: 302 },
  },
  "own-error": {
    act: (socket) => socket.end("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"),
    expected: { status: 503, outcome: "upstream_error", ms: [0, AT_ONCE_MS] },
  },
  good: { act: (socket) => socket.write(WHOLE + BODY), expected: good },
  "good-in-chunks": { act: (socket) => socket.write(`${CHUNKED}${CHUNK}0\r\n\r\n`), expected: good },
};

const REFUSED = "refused";
/** How often good ones come among the others. */
const EVERY = 3;
const AT_ONCE = 20;

const listen = async (run: Run, serve: (socket: Socket) => void): Promise<{ url: string; close: () => void }> => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    serve(socket);
  }).listen(0, "127.0.0.1");
  await new Promise<void>((ready) => server.once("listening", ready));
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  run.after(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
};

interface Ended {
  /** 0: not whole. */
  readonly status: number;
  readonly ms: number;
  readonly whole: boolean;
}

const call = (url: string, token: string, id: string): Promise<Ended> =>
  within(
    id,
    new Promise((settle) => {
      const started = performance.now();
      let length = 0;
      const end = (status: number, whole: boolean): void =>
        settle({ status, ms: performance.now() - started, whole: whole && length > 0 });
      const answered = (response: IncomingMessage): void => {
        response.on("data", (part: Buffer) => {
          length += part.length;
        });
        response.on("error", () => end(0, false));
        response.on("end", () => end(response.statusCode ?? 0, response.complete));
      };
      const req = request(url, { headers: { ...bearer(token), "X-Request-ID": id }, agent: false }, answered);
      req.on("error", () => end(0, false));
      req.end();
    }),
    20_000,
  );

/** Readers that stop, of an answer without an end. @returns how much more memory the gateway holds for each, MiB */
const holdSlowReaders = async (
  run: Run,
  { url, pid, token, readers }: { url: string; pid: number; token: string; readers: number },
): Promise<number> => {
  const before = residentMib(pid);
  const sockets = Array.from({ length: readers }, () => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    run.after(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.pause();
    socket.write(`GET /api/endless/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    return socket;
  });
  await delay(4_000);
  const held = (residentMib(pid) - before) / readers;
  for (const socket of sockets) socket.destroy();
  return held;
};

export const upstreamFaults: Row = {
  name: "upstream-faults",
  promise:
    "Upstreams refused, hanging, reset, badly framed, redirecting, endless, 1,000 calls among good ones: 502 within 1 s, 504 at the timeout, truncation always visible, incomplete in the usage, ≤ 1 MiB buffered for a slow reader",
  minutes: 8,
  run: async (run) => {
    let redirected = 0;
    const { url: faulty } = await listen(run, (socket) => {
      socket.setNoDelay(true);
      socket.on("data", (bytes: Buffer) => {
        const path = bytes.toString("latin1").split(" ")[1] ?? "";
        if (path === "/redirected") redirected += 1;
        FAULTS[path.slice(1)]?.act(socket);
      });
    });
    let gone = 0;
    const endless = await listen(run, (socket) => {
      const piece = Buffer.alloc(64 * 1024, "x");
      const pour = (): void => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        pour();
      });
      socket.on("drain", pour);
      socket.on("close", () => {
        gone += 1;
      });
    });
    const refused = await listen(run, () => undefined);
    refused.close();
    const { home, passwords } = await prepareHome(run, { clients: { john: UNLIMITED } });
    await withHome(home, async ({ deps }) => {
      const limits = { timeoutMs: TIMEOUT_MS, idleTimeoutMs: IDLE_MS };
      await addService(deps, { name: "faulty", url: faulty, ...limits });
      await addService(deps, { name: "refused", url: refused.url, ...limits });
      // They stand still for longer than a call here may.
      await addService(deps, { name: "endless", url: endless.url });
    });
    const { url, pid } = await startGatewayProcess(run, home);
    const token = await tokenFor(url, "john", passwords["john"] ?? "");

    const kinds = [...Object.keys(FAULTS), REFUSED];
    const expectedOf = (kind: string): Expected => FAULTS[kind]?.expected ?? unreachable;
    const calls = run.size(1_000, kinds.length * EVERY);
    const ended: { id: string; kind: string; end: Ended }[] = [];
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < calls) {
        const number = next;
        next += 1;
        const kind = number % EVERY === 0 ? (kinds[(number / EVERY) % kinds.length] ?? "") : "good";
        const id = `${kind}-${number}`;
        const path = kind === REFUSED ? "/api/refused/x" : `/api/faulty/${kind}`;
        ended.push({ id, kind, end: await call(`${url}${path}`, token, id) });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));

    const wrong = ended.filter(({ kind, end }) => end.status !== expectedOf(kind).status);
    const late = ended.filter(({ kind, end: { ms } }) => {
      const [from, to] = expectedOf(kind).ms;
      return ms < from || ms > to;
    });
    const looksWhole = ended.filter(({ kind, end }) => expectedOf(kind).status === 0 && end.whole);
    const outcomes = await until("the usage of all", () =>
      withHome(home, async ({ store }) => {
        const events = (await allUsage(store)).filter(({ requestId }) => ended.some(({ id }) => id === requestId));
        return events.length >= calls && new Map(events.map(({ requestId, outcome }) => [requestId, outcome]));
      }),
    );
    const misrecorded = ended.filter(({ id, kind }) => outcomes.get(id) !== expectedOf(kind).outcome);
    for (const { id, end } of [...wrong, ...late].slice(0, 10))
      run.say(`${id}: ${end.status} after ${end.ms.toFixed(0)} ms`);
    for (const { id } of misrecorded.slice(0, 10)) run.say(`${id}: ${outcomes.get(id)}`);
    const bad = ended.filter(({ kind }) => kind !== "good");
    run.say(`${count(bad.length)} of ${count(calls)} calls met one of ${kinds.length - 1} kinds of fault`);

    const readers = run.size(50, 25);
    const goneBefore = gone;
    const held = await holdSlowReaders(run, { url, pid, token, readers });
    const leftAt = performance.now();
    await until("the endless upstreams to be aborted", () => gone - goneBefore >= readers, 5_000).catch(
      () => undefined,
    );
    const abortedMs = performance.now() - leftAt;
    return [
      never("calls with another status than they should have", wrong.length, calls),
      never("calls that were too late, or broken off too early", late.length, calls),
      never("truncated answers that look whole", looksWhole.length, bad.length),
      never("events with another outcome", misrecorded.length, calls),
      never("redirects that were followed", redirected, calls),
      atMost("held for a reader that has stopped, of an endless answer", held, 1, "MiB"),
      atMost("endless upstreams aborted after their readers left", abortedMs, AT_ONCE_MS, "ms"),
    ];
  },
};
