import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { ClientConnection } from "../proxy/client-connection.ts";
import { isHandshake } from "../proxy/websocket/handshake.ts";
import { isForeignProtocol } from "./foreign-protocol.ts";

/** From 25 on Node reads on in such a request, as in any other, and hands over a stream in the place of its socket. */
const NODE_READS_CHUNKS = Number.parseInt(process.versions.node, 10) >= 25;

/**
 * A request with `Upgrade` that is no handshake of a service's WebSocket is answered as the plain request it also is
 * (RFC 9110 §7.8), and is the last one of its connection: Node does that when it is told that nobody wants to upgrade.
 * But its parser then says nothing of errors in the body any more, and one in the chunks would leave the request open. So
 * one with chunks is read a second time, without the field. Neither is done while an answer before it is outstanding: a
 * handshake is a plain request then.
 * @returns whether the server shall emit `upgrade`
 */
export const leavesParser = (incoming: IncomingMessage): boolean => {
  if ((NODE_READS_CHUNKS || incoming.headers["transfer-encoding"] === undefined) && !isHandshake(incoming))
    return false;
  const connection = ClientConnection.of(incoming.socket);
  if (connection === undefined || connection.closing) return false;
  const { latest } = connection;
  return (latest === undefined || latest.closed) && !isForeignProtocol(incoming, true);
};

/**
 * Puts a request that was taken for an upgrade back in front of what follows its header, with `Connection: close` in
 * the place of `Upgrade`.
 * @param head what follows the header, as far as it was read
 */
export const readWithoutUpgrade = (incoming: IncomingMessage, socket: Socket, head: Buffer): void => {
  const { method, url, httpVersion, rawHeaders } = incoming;
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const isUpgrade = rawHeaders[i]?.toLowerCase() === "upgrade";
    text += isUpgrade ? "Connection:close\r\n" : `${rawHeaders[i]}:${rawHeaders[i + 1]}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, "latin1"), head]));
};
