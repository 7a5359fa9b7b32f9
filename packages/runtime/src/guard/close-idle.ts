import { Server } from "node:http";
import type { Socket } from "node:net";
import { ClientConnection } from "../proxy/client-connection.ts";
import { DenseList, type Placed } from "../proxy/dense-list.ts";

interface OpenSocket extends Placed {
  readonly socket: Socket;
}

/**
 * Makes `closeIdleConnections()`, which `close()` calls, too, spare those whose client is still taking its answer. To
 * Node a connection is idle as soon as its answer is handed over: what the system has no room for yet would be lost.
 * @param connected the event of a new connection
 */
export const closeOnlyIdle = (server: Server, connected: "connection" | "secureConnection"): void => {
  const open = new DenseList<OpenSocket>();
  server.on(connected, (socket: Socket) => {
    const one = { place: -1, socket };
    open.add(one);
    socket.once("close", () => open.delete(one));
  });
  server.closeIdleConnections = () => {
    const busy = open.items().filter(({ socket }) => isAnswered(socket) === false);
    for (const { socket } of busy) socket.destroy = stay;
    Server.prototype.closeIdleConnections.call(server);
    for (const { socket } of busy) Reflect.deleteProperty(socket, "destroy");
  };
};

/** @returns undefined when nothing was asked */
const isAnswered = (socket: Socket): boolean | undefined => ClientConnection.of(socket)?.latest?.closed;

function stay(this: Socket): Socket {
  return this;
}
