import { randomInt } from "node:crypto";
import { connect } from "node:net";
import { startGatewayProcess } from "../../support/aigw.ts";
import { bearer, send, startUpstream, tokenFor } from "../../support/http.ts";
import { prepareHome, UNLIMITED } from "../../support/prepared-home.ts";
import { residentMib } from "../resident.ts";
import { atMost, never, type Row } from "../row.ts";

const AT_ONCE = 16;
/** A connection that the gateway rightly keeps waiting (an unfinished head or body) is given up then. */
const PATIENCE_MS = 150;
/** As beside 10,000 connections. */
const MOST_MIB = 500;
/**
 * Over the second half. Live heap stays what it was (13.7 MB after 5,000 and after 65,000), but with so many kinds of
 * request V8 goes on enlarging its generations until 60,000 or so; a leak of 350 bytes a request would be seen.
 */
const MOST_GROWTH_MIB = 25;

const pick = <T>(values: readonly T[]): T => values[randomInt(values.length)] as T;

const BYTES = [
  "\r",
  "\n",
  "\r\n",
  "\0",
  " ",
  "\t",
  ":",
  ",",
  ";",
  "\x0b",
  "\xa0",
  "\x80",
  "%",
  "/",
  "..",
  "\\",
  "#",
  "?",
  "@",
  "*",
];
const LINES = [
  "Content-Length: 5",
  "Content-Length: 0",
  "Content-Length: -1",
  "Content-Length: 5, 5",
  "Content-Length: 0x5",
  "Content-Length : 5",
  "content_length: 5",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding : chunked",
  "Transfer_Encoding: chunked",
  "Transfer-Encoding:\x0bchunked",
  "Host: evil",
  "Connection: close",
  "Connection: X-Client-ID",
  "X-Client-ID: root",
  "X_Client_ID: root",
  "Expect: 100-continue",
  "Upgrade: websocket\r\nConnection: upgrade",
  " folded",
  "__proto__: x",
];

/** One valid request, spoilt in one to three places. The part behind it must never be taken for a request. */
const spoilt = (head: readonly string[], token: string): string => {
  const isPost = Math.random() < 0.7;
  const lines = [
    isPost ? "POST /api/echo/x HTTP/1.1" : "GET /api/echo/x HTTP/1.1",
    ...head,
    `Authorization: Bearer ${token}`,
  ];
  const hidden = "GET /api/echo/hidden HTTP/1.1\r\nHost: a\r\nX-Hidden: yes\r\n\r\n";
  const framing = pick([`Content-Length: ${hidden.length}`, "Transfer-Encoding: chunked"]);
  if (isPost) lines.push(framing);
  for (let times = randomInt(1, 4); times > 0; times -= 1) {
    const at = randomInt(lines.length + 1);
    const kind = randomInt(4);
    const line = lines[at] ?? "";
    if (kind === 0) lines.splice(Math.max(1, at), 0, pick(LINES));
    else if (kind === 1 && at < lines.length) {
      const place = randomInt(line.length + 1);
      lines[at] = line.slice(0, place) + pick(BYTES) + line.slice(place);
    } else if (kind === 2 && at < lines.length) {
      const place = randomInt(Math.max(1, line.length));
      lines[at] = line.slice(0, place) + String.fromCharCode(randomInt(256)) + line.slice(place + 1);
    } else if (kind === 3 && at > 0 && at < lines.length) lines.splice(at, 1);
  }
  const end = pick(["\r\n", "\r\n", "\r\n", "\n"]);
  const body = !isPost
    ? ""
    : framing.startsWith("Content-Length")
      ? hidden
      : `${hidden.length.toString(16)}${pick(["", ";a=b", " ", "\0"])}\r\n${hidden}${pick(["\r\n", "\n", ""])}0\r\n\r\n`;
  return lines.join(end) + end + end + body;
};

/** @returns what came back within {@link PATIENCE_MS} */
const exchange = (url: string, bytes: string): Promise<string> =>
  new Promise((settle) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    let text = "";
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      text += chunk;
      // A kept connection: there is nothing more to wait for.
      if (/\r\nConnection: keep-alive\r\n/i.test(text) && text.includes("\r\n\r\n"))
        setTimeout(() => socket.destroy(), 5);
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      clearTimeout(timer);
      settle(text);
    });
    socket.on("connect", () => socket.write(bytes, "latin1"));
  });

export const mutated: Row = {
  name: "mutated",
  promise:
    "160,000 spoilt requests (framing, targets, names, stray bytes): 400/501 and close or one plain request, nothing hidden is ever served",
  minutes: 10,
  run: async (run) => {
    const seen = { hidden: 0, spoofed: 0, calls: 0 };
    const upstream = await startUpstream(run, (incoming, outgoing) => {
      incoming.resume().on("error", () => undefined);
      seen.calls += 1;
      if (incoming.headers["x-hidden"] !== undefined || incoming.url?.includes("hidden")) seen.hidden += 1;
      const names = incoming.rawHeaders
        .filter((_, index) => index % 2 === 0)
        .map((name) => name.toLowerCase().replaceAll("_", "-"));
      const values = incoming.headersDistinct["x-client-id"] ?? [];
      if (values.join() !== "john" || names.filter((name) => name === "x-client-id").length !== 1) seen.spoofed += 1;
      outgoing.end("ok");
    });
    const { home, passwords } = await prepareHome(run, {
      services: { echo: upstream.url },
      clients: { john: UNLIMITED },
    });
    const { url, pid } = await startGatewayProcess(run, home);
    const token = await tokenFor(url, "john", passwords["john"] ?? "");
    const host = `Host: ${new URL(url).host}`;
    const statuses = new Map<string, number>();
    const wrong: string[] = [];
    const one = async (): Promise<void> => {
      const request = spoilt([host, "Accept: */*", "X-Name: value"], token);
      const answer = await exchange(url, request);
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? (answer === "" ? "none" : "not HTTP");
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === "not HTTP" || status === "500") wrong.push(JSON.stringify(request));
    };
    const tries = run.size(160_000, 800);
    let next = 0;
    let before = Number.NaN;
    const lane = async (): Promise<void> => {
      while (next < tries) {
        next += 1;
        if (next === Math.ceil(tries / 2)) before = residentMib(pid);
        await one();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    run.say(
      [...statuses]
        .toSorted()
        .map(([status, times]) => `${status}: ${times}`)
        .join(", "),
    );
    for (const request of wrong.slice(0, 3)) run.say(request);
    const good = (await send(`${url}/api/echo/x`, { headers: bearer(token) })).status;
    return [
      never("hidden requests that reached the service", seen.hidden, tries),
      never("calls that reached it under another name than the client's", seen.spoofed, seen.calls),
      never("answers that are a fault of the gateway or no HTTP", wrong.length, tries),
      atMost("growth of resident memory over the second half", residentMib(pid) - before, MOST_GROWTH_MIB, "MiB"),
      atMost("resident memory at the end", residentMib(pid), MOST_MIB, "MiB"),
      { what: "a plain call afterwards", seen: String(good), promised: "200", kept: good === 200 },
    ];
  },
};
