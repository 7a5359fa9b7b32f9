/**
 * A service with large content, as a process that prints its port: `/large` answers with 64 MiB as fast as they are
 * taken, `/deaf` never reads what it is sent, anything else says `ok`.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const PIECE = Buffer.alloc(1024 * 1024, "x");
const PIECES = 64;

const server = createServer((incoming, outgoing) => {
  if (incoming.url?.endsWith("/deaf")) return;
  incoming.resume();
  if (!incoming.url?.endsWith("/large")) {
    outgoing.end("ok");
    return;
  }
  outgoing.writeHead(200, { "Content-Length": PIECE.length * PIECES });
  let left = PIECES;
  const send = (): void => {
    while (left > 0) {
      left -= 1;
      if (!outgoing.write(PIECE)) {
        outgoing.once("drain", send);
        return;
      }
    }
    outgoing.end();
  };
  send();
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
