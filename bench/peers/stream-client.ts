// The clients of event streams: many at once, each event looked at.
import { Agent, get, type IncomingMessage, type RequestOptions } from "node:http";
import { now } from "../support/clock.ts";
import { answer } from "../support/peer.ts";
import { quantile } from "../support/statistics.ts";

interface Target {
  /** Of the upstream or of a service, without a slash at the end. */
  readonly url: string;
  readonly token: string;
}

interface Event {
  readonly id: number;
  readonly at: number;
  readonly last?: boolean;
  readonly thought?: number;
}

/** Calls back for each whole event. */
const onEvents = (response: IncomingMessage, take: (event: Event) => void): void => {
  let rest = "";
  response.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      const [, id, data] = /^id: ([0-9]+)\ndata: (.*)$/.exec(part) ?? [];
      take({ ...(JSON.parse(data ?? "{}") as object), id: Number(id) } as Event);
    }
  });
};

const request = (target: Target, path: string, options: RequestOptions): Promise<IncomingMessage> =>
  new Promise((ready, failed) => {
    get(`${target.url}${path}`, { ...options, headers: { Authorization: `Bearer ${target.token}` } }, (response) => {
      if (response.statusCode === 200) ready(response);
      else failed(new Error(`${path} was answered with ${response.statusCode}`));
    }).on("error", failed);
  });

/** One for each target, so that both find their connections open. */
const agents = new Map<string, Agent>();
const agentOf = (url: string): Agent => {
  const known = agents.get(url) ?? new Agent({ keepAlive: true });
  agents.set(url, known);
  return known;
};

interface Burst extends Target {
  readonly streams: number;
  /** How long the upstream thinks before its first event, milliseconds, spread evenly over the streams. */
  readonly waitMs: readonly [number, number];
}

export interface FirstBytes {
  /** From when the upstream writes its first event until its first byte is at the client, milliseconds, each stream. */
  readonly afterWrite: readonly number[];
  /** From the request, less the time that the upstream thought. */
  readonly afterRequest: readonly number[];
}

/** Asks for all streams in one turn of the event loop and reads them to their ends. */
const burst = async ({ streams, waitMs: [from, to], ...target }: Burst): Promise<FirstBytes> => {
  const agent = agentOf(target.url);
  const one = async (index: number): Promise<{ afterWrite: number; afterRequest: number }> => {
    const askedAt = now();
    const wait = from + ((to - from) * index) / streams;
    const response = await request(target, `/short?wait=${wait}`, { agent });
    let firstAt = 0;
    response.once("data", () => {
      firstAt = now();
    });
    const events: Event[] = [];
    onEvents(response, (event) => events.push(event));
    await new Promise<void>((done, failed) => {
      response.on("end", done).on("error", failed);
    });
    const [first] = events;
    if (events.map(({ id }) => id).join() !== "0,1,2" || first === undefined) {
      throw new Error(
        `a stream of ${target.url} had the events ${events.map(({ id, at }) => `${id} at ${at}`).join(", ")}`,
      );
    }
    return { afterWrite: firstAt - first.at, afterRequest: firstAt - askedAt - (first.thought ?? Number.NaN) };
  };
  const all = await Promise.all(Array.from({ length: streams }, (_, index) => one(index)));
  return {
    afterWrite: all.map(({ afterWrite }) => afterWrite),
    afterRequest: all.map(({ afterRequest }) => afterRequest),
  };
};

interface Held extends Target {
  readonly streams: number;
  readonly everyMs: number;
}

interface Stream {
  events: number;
  ended: boolean;
}

/** How many connections are opened at once: the kernel's queue of new ones is short. */
const OPENING = 200;
/** A source address has some 28,000 ports; those of an earlier round may still be waiting for their end. */
const ADDRESSES = 16;

let streams: Stream[] = [];
let delays: number[] = [];
let faults: string[] = [];

const follow = (stream: Stream, response: IncomingMessage): Promise<void> =>
  new Promise((opened) => {
    let finished = false;
    onEvents(response, ({ id, at, last }) => {
      delays.push(now() - at);
      if (id !== stream.events) faults.push(`event ${id} came where ${stream.events} was due`);
      stream.events = id + 1;
      finished = last === true;
      if (id === 0) opened();
    });
    response.on("end", () => {
      if (!finished) faults.push("a stream ended before its last event");
      stream.ended = true;
    });
    response.on("error", (error) => {
      faults.push(`a stream broke: ${error.message}`);
      stream.ended = true;
    });
  });

/** Opens that many and waits until each had its first event. */
const open = async ({ streams: count, everyMs, ...target }: Held): Promise<void> => {
  streams = [];
  delays = [];
  faults = [];
  let next = 0;
  const opener = async (): Promise<void> => {
    while (next < count) {
      const localAddress = `127.0.0.${2 + (next % ADDRESSES)}`;
      next += 1;
      const response = await request(target, `/long?every=${everyMs}`, { agent: false, localAddress });
      const stream: Stream = { events: 0, ended: false };
      streams.push(stream);
      await follow(stream, response);
    }
  };
  await Promise.all(Array.from({ length: OPENING }, opener));
};

export interface Following {
  readonly open: number;
  /** Ended with their last event and no event missing, doubled or out of order, when there are no faults. */
  readonly ended: number;
  readonly events: number;
  /** The first few. */
  readonly faults: readonly string[];
  /** From the upstream's writing an event until it is here, milliseconds, since the last look. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const look = (): Following => {
  const seen = delays;
  delays = [];
  const ended = streams.filter((stream) => stream.ended).length;
  return {
    open: streams.length - ended,
    ended,
    events: streams.reduce((sum, stream) => sum + stream.events, 0),
    faults: faults.slice(0, 5),
    p50: quantile(seen, 0.5),
    p99: quantile(seen, 0.99),
    max: seen.reduce((max, delay) => Math.max(max, delay), 0),
  };
};

let slow: IncomingMessage | undefined;

/** Asks for an endless stream and reads nothing of it. @returns the connection's port on this side */
const openSlow = async (target: Target): Promise<number> => {
  slow = await request(target, "/flood", { agent: false });
  slow.pause();
  return slow.socket.localPort ?? 0;
};

/** Reads it from here to its end. @returns bytes */
const readSlow = async (): Promise<number> => {
  let bytes = 0;
  for await (const chunk of slow ?? []) bytes += (chunk as Buffer).length;
  return bytes;
};

const acts = { burst, open, look, openSlow, readSlow };
export type StreamActs = typeof acts;
answer(acts);
