// Both ends of WebSockets: a service that sends back what it gets, and clients. No library: what they do themselves is
// part of what the gateway is compared with, so it is little.
import { createHash } from "node:crypto";
import { createServer, request } from "node:http";
import { type AddressInfo, Socket } from "node:net";
import { answer } from "../support/peer.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const MASKED = 0x80;
const MASK_BYTES = 4;

/** A masked frame of up to 125 bytes; its mask changes nothing. */
const messageOf = (bytes: number): Buffer =>
  Buffer.concat([Buffer.of(0x82, MASKED | bytes, 0, 0, 0, 0), Buffer.alloc(bytes, "x")]);

const open = new Set<Socket>();

/** Takes whole messages of one length, and sends each back without its mask. */
const echo = (socket: Socket): void => {
  let held: Buffer = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    const all = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    const answers: Buffer[] = [];
    let at = 0;
    for (; all.length - at >= 2; ) {
      const length = (all[at + 1] as number) & 0x7f;
      const end = at + 2 + MASK_BYTES + length;
      if (end > all.length) break;
      answers.push(Buffer.of(all[at] as number, length), all.subarray(at + 2 + MASK_BYTES, end));
      at = end;
    }
    held = all.subarray(at);
    if (answers.length > 0) socket.write(Buffer.concat(answers));
  });
};

/** @returns its URL */
const listen = (): Promise<string> => {
  const server = createServer((_incoming, outgoing) => outgoing.writeHead(426).end());
  server.on("upgrade", (incoming, socket) => {
    const accept = createHash("sha1").update(`${incoming.headers["sec-websocket-key"]}${GUID}`).digest("base64");
    socket.on("error", () => undefined);
    if (socket instanceof Socket) socket.setNoDelay(true);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    open.add(socket as Socket);
    socket.on("end", () => socket.end());
    socket.on("close", () => open.delete(socket as Socket));
    echo(socket as Socket);
  });
  return new Promise((ready) =>
    server.listen(0, "127.0.0.1", 4_096, () => ready(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)),
  );
};

interface Target {
  readonly url: string;
  readonly token: string;
}

const connect = ({ url, token }: Target): Promise<Socket> =>
  new Promise((done, failed) => {
    const headers = {
      Authorization: `Bearer ${token}`,
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": KEY,
    };
    request(url, { headers, agent: false })
      .on("error", failed)
      .on("response", ({ statusCode }) => failed(new Error(`the handshake was answered with ${statusCode}`)))
      .on("upgrade", (_answer, socket) => {
        socket.on("error", () => undefined);
        socket.setNoDelay(true);
        open.add(socket);
        socket.on("close", () => open.delete(socket));
        // One that is not read does not show its end.
        socket.resume();
        done(socket);
      })
      .end();
  });

const AT_ONCE = 50;

/** Opens so many, and leaves them open. @returns how many are */
const hold = async ({ sockets, ...target }: Target & { readonly sockets: number }): Promise<number> => {
  for (let count = 0; count < sockets; count += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, sockets - count) }, () => connect(target)));
  }
  return open.size;
};

const isOpen = (): number => open.size;

const closeAll = (): void => {
  for (const socket of open) socket.destroy();
};

/** Each socket sends a message as soon as the one before has come back. @returns messages/s, there and back again */
const exchange = async ({
  sockets,
  bytes,
  seconds,
  ...target
}: Target & { readonly sockets: number; readonly bytes: number; readonly seconds: number }): Promise<number> => {
  const message = messageOf(bytes);
  const answerBytes = 2 + bytes;
  let count = 0;
  const all = await Promise.all(Array.from({ length: sockets }, () => connect(target)));
  const started = performance.now();
  for (const socket of all) {
    let got = 0;
    socket.on("data", (chunk: Buffer) => {
      got += chunk.length;
      if (got < answerBytes) return;
      got = 0;
      count += 1;
      socket.write(message);
    });
    socket.write(message);
  }
  await new Promise((over) => setTimeout(over, seconds * 1_000));
  const rate = count / ((performance.now() - started) / 1_000);
  closeAll();
  return rate;
};

const acts = { listen, hold, isOpen, closeAll, exchange };
export type SocketActs = typeof acts;
answer(acts);
