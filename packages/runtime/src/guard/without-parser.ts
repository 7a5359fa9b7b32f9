import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { nodeHttp } from "../node-http.ts";

/** What Node sets at the end of an answer: see `emitCloseNT` in `_http_server.js`. */
type Closable = ServerResponse & { _closed?: boolean };

/**
 * The answer to a request whose socket Node has handed over, as Node would have made it. It is the connection's last:
 * what the client sends waits in the socket, as far as it was read, and is no request in any case.
 * @param head what follows the header, as far as it was read
 */
export const answerWithoutParser = (incoming: IncomingMessage, socket: Socket, head: Buffer): ServerResponse => {
  const outgoing: Closable = new nodeHttp.ServerResponse(incoming);
  if (head.length > 0) socket.unshift(head);
  outgoing.assignSocket(socket);
  outgoing.on("finish", () => {
    outgoing.detachSocket(socket);
    process.nextTick(() => {
      outgoing.destroyed = true;
      outgoing._closed = true;
      outgoing.emit("close");
    });
    socket.destroySoon();
  });
  return outgoing;
};
