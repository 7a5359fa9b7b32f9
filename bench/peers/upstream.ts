// The upstream for what nginx cannot do: event streams, and bodies whose content is known.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { COMPLETION, USAGE } from "../support/chat-answer.ts";
import { now } from "../support/clock.ts";
import { Content, Digest } from "../support/content.ts";
import { answer } from "../support/peer.ts";

const ANSWER = '{"id":"chatcmpl-1","object":"chat.completion","choices":[{"message":{"content":"hi"}}]}';

type Handler = (incoming: IncomingMessage, outgoing: ServerResponse, query: URLSearchParams) => void;

const held = new Set<() => void>();
let flooding: { outgoing: ServerResponse; written: number; port: number } | undefined;
let sent: { readonly bytes: number; readonly sha256: string } | undefined;

/** @param n from 0. `at`: when it was written, as {@link now} tells it */
const event = (n: number, more: object = {}): string =>
  `id: ${n}\ndata: ${JSON.stringify({ at: now(), text: "about as much as a token or two", ...more })}\n\n`;

const EVENT_STREAM = { "Content-Type": "text/event-stream" };

/** Beside what the bench reads: what a chat completion's event has. */
const piece = (content: string): object => ({ ...COMPLETION, choices: [{ index: 0, delta: { content } }] });

/** `?wait=<ms>`: thinks for so long, then writes head and first event, then two more and the end, with its totals. */
const short: Handler = (_incoming, outgoing, query) => {
  const askedAt = now();
  setTimeout(
    () => {
      outgoing.writeHead(200, EVENT_STREAM);
      outgoing.write(event(0, { thought: now() - askedAt, ...piece("about") }));
      // One after the other: timers of different lengths may change their order when the loop has stood still.
      setTimeout(() => {
        outgoing.write(event(1, piece("as much")));
        setTimeout(() => outgoing.end(event(2, { ...COMPLETION, choices: [], usage: USAGE })), 20);
      }, 20);
    },
    Number(query.get("wait")),
  );
};

/** `?every=<ms>`: an event now and one each interval, numbered, until {@link finish}; the last one says so. */
const long: Handler = (_incoming, outgoing, query) => {
  outgoing.writeHead(200, EVENT_STREAM);
  let n = 0;
  const write = (): void => {
    outgoing.write(event(n));
    n += 1;
  };
  write();
  const timer = setInterval(write, Number(query.get("every")));
  const end = (): void => {
    clearInterval(timer);
    outgoing.end(event(n, { last: true }));
    held.delete(end);
  };
  held.add(end);
  outgoing.on("close", () => {
    clearInterval(timer);
    held.delete(end);
  });
};

const CHUNK = 64 * 1024;

/** As much as is taken, until {@link finish}. */
const flood: Handler = (_incoming, outgoing) => {
  const mine = { outgoing, written: 0, port: outgoing.socket?.remotePort ?? 0 };
  flooding = mine;
  const chunk = Buffer.alloc(CHUNK, ".");
  outgoing.writeHead(200, EVENT_STREAM);
  const go = (): void => {
    while (flooding === mine) {
      mine.written += chunk.length;
      if (!outgoing.write(chunk)) {
        outgoing.once("drain", go);
        return;
      }
    }
    outgoing.end();
  };
  go();
};

const upload: Handler = (incoming, outgoing) => {
  const digest = new Digest();
  incoming.on("data", (chunk: Buffer) => digest.add(chunk));
  incoming.on("end", () => {
    outgoing.writeHead(200, { "Content-Type": "application/json" });
    outgoing.end(JSON.stringify(digest.end()));
  });
};

/** `?bytes=<n>` */
const download: Handler = (_incoming, outgoing, query) => {
  const bytes = Number(query.get("bytes"));
  const digest = new Digest();
  sent = undefined;
  outgoing.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": bytes });
  new Content(bytes)
    .on("data", (chunk: Buffer) => digest.add(chunk))
    .on("end", () => {
      sent = digest.end();
    })
    .pipe(outgoing);
};

const echo: Handler = (incoming, outgoing) => {
  incoming.resume().on("end", () => {
    outgoing.writeHead(200, { "Content-Type": "application/json", "Content-Length": ANSWER.length });
    outgoing.end(ANSWER);
  });
};

const HANDLERS: Readonly<Record<string, Handler>> = {
  "/short": short,
  "/long": long,
  "/flood": flood,
  "/upload": upload,
  "/download": download,
};

const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 0, noDelay: true }, (incoming, outgoing) => {
  const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://upstream");
  (HANDLERS[pathname] ?? echo)(incoming, outgoing, searchParams);
});

const acts = {
  listen: (): Promise<string> =>
    new Promise((ready) => {
      server.listen(0, "127.0.0.1", 10_000, () => ready(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
    }),
  /** How many `/long` streams are open. */
  held: (): number => held.size,
  /** Ends `/long` streams in good order. @returns how many there were */
  finish: (): number => {
    const { size } = held;
    for (const end of [...held]) end();
    return size;
  },
  /** What `/flood` could write, bytes handed to the kernel, and the port of its other side. */
  flooded: (): { readonly bytes: number; readonly port: number } => {
    const waiting = flooding?.outgoing.writableLength ?? 0;
    return { bytes: (flooding?.written ?? 0) - waiting, port: flooding?.port ?? 0 };
  },
  /** Ends `/flood`. @returns all that was written, bytes */
  endFlood: (): number => {
    const written = flooding?.written ?? 0;
    flooding = undefined;
    return written;
  },
  /** The last download's content, once all of it was written. */
  sent: () => sent,
};
export type UpstreamActs = typeof acts;
answer(acts);
