import type { Server } from "node:http";
import type { Socket } from "node:net";
import { nodeHttp } from "../node-http.ts";
import { ClientConnection } from "../proxy/client-connection.ts";
import { DenseList, type Placed } from "../proxy/dense-list.ts";

interface OpenSocket extends Placed {
  readonly socket: Socket;
  /** Monotonic milliseconds. */
  readonly since: number;
}

const openOf = new WeakMap<Server, DenseList<OpenSocket>>();

/**
 * Makes `closeIdleConnections()`, which `close()` calls, too, spare those whose client is still taking its answer. To
 * Node a connection is idle as soon as its answer is handed over: what the system has no room for yet would be lost.
 * @param connected the event of a new connection
 */
export const closeOnlyIdle = (server: Server, connected: "connection" | "secureConnection"): void => {
  const open = new DenseList<OpenSocket>();
  openOf.set(server, open);
  server.on(connected, (socket: Socket) => {
    const one = { place: -1, socket, since: performance.now() };
    open.add(one);
    socket.on("close", () => open.delete(one));
  });
  server.closeIdleConnections = () => {
    // Node knows only of those that it parses.
    for (const { socket } of open.items()) {
      if (isAnswered(socket) === true && ClientConnection.of(socket)?.isParked === true) socket.destroy();
    }
    const busy = open.items().filter(({ socket }) => isAnswered(socket) === false);
    for (const { socket } of busy) socket.destroy = stay;
    nodeHttp.Server.prototype.closeIdleConnections.call(server);
    for (const { socket } of busy) Reflect.deleteProperty(socket, "destroy");
  };
};

/**
 * Closes those that have asked for nothing for so long, the oldest part of them: to Node they are not idle, and whoever
 * opens them by the thousand would keep others out for as long as a header may take.
 * @param part of them, over 0 to 1
 * @returns how many it closed
 */
export const closeSilent = (server: Server, forMs: number, part: number): number => {
  const until = performance.now() - forMs;
  const silent = (openOf.get(server)?.items() ?? []).filter(
    ({ socket, since }) => since <= until && isAnswered(socket) === undefined && !socket.destroyed,
  );
  const oldest = silent.toSorted((one, other) => one.since - other.since).slice(0, Math.ceil(silent.length * part));
  for (const { socket } of oldest) socket.destroy();
  return oldest.length;
};

/** @returns undefined when nothing was asked */
const isAnswered = (socket: Socket): boolean | undefined => ClientConnection.of(socket)?.latest?.closed;

function stay(this: Socket): Socket {
  return this;
}
