import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import type { Problem } from "../http-errors.ts";
import { isTlsServer } from "../node-http.ts";
import type { OpenFiles } from "../open-files.ts";
import { ClientConnection } from "../proxy/client-connection.ts";
import { requestIdOf } from "../request-id.ts";
import { closeSilent } from "./close-idle.ts";
import { rawAnswer } from "./raw-answer.ts";

/** So long a connection that will be refused may take to bring its request. */
const PATIENCE_MS = 1_000;
/** A client that is not one of a crowd asks at once. */
const SILENT_MS = 500;
/** So often at most: each looks at all connections, and what they give free is seen in the next turn. */
const CLOSE_SILENT_EVERY_MS = 10;
const CLOSE_IDLE_EVERY_MS = 1_000;
/** Enough for the next look to be some time away. */
const PART_OF_SILENT = 1 / 4;

/**
 * Takes no more connections than there are file descriptors for. Before they run out, those make room that have asked for
 * nothing for some time, the oldest first: thousands of them keep nobody out who asks at once. Then idle ones. One too
 * many gets its first request answered, with a problem; of a flood of them, the rest is answered and closed at once. To
 * be attached before the guard.
 * @param problem what those are told that are refused
 * @returns whether this request's connection is one too many
 */
export const boundConnections = (
  server: Server,
  openFiles: OpenFiles,
  problem: Omit<Problem, "requestId">,
): ((incoming: IncomingMessage) => boolean) => {
  /** By the peer: with TLS the request's socket is another object than the one that was accepted. */
  const refused = new Set<string>();
  const isTls = isTlsServer(server);
  let closedSilentAt = Number.NEGATIVE_INFINITY;
  let closedIdleAt = Number.NEGATIVE_INFINITY;

  const makeRoom = (): void => {
    const now = performance.now();
    if (now - closedSilentAt < CLOSE_SILENT_EVERY_MS) return;
    closedSilentAt = now;
    if (closeSilent(server, SILENT_MS, PART_OF_SILENT) > 0 || now - closedIdleAt < CLOSE_IDLE_EVERY_MS) return;
    closedIdleAt = now;
    server.closeIdleConnections();
  };

  server.on("connection", (socket: Socket) => {
    // Counted already: its request is read a second time (without-upgrade.ts).
    if (ClientConnection.of(socket) !== undefined) return;
    const admission = openFiles.clientOpened();
    if (openFiles.isCrowded) makeRoom();
    if (admission === "served") {
      socket.on("close", () => openFiles.clientClosed(admission));
      return;
    }
    openFiles.countRefused();
    const peer = peerOf(socket);
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.once("close", () => {
      clearTimeout(timer);
      refused.delete(peer);
      openFiles.clientClosed(admission);
    });
    if (admission === "refused") refused.add(peer);
    else {
      // Before it has asked, because there is no room to wait for that, nor for an orderly end: a whole flood is taken
      // in one turn. In TLS there is no answer before a handshake.
      if (!isTls) socket.write(rawAnswer({ ...problem, requestId: requestIdOf(undefined) }, ["Retry-After: 5"]));
      socket.destroy();
    }
  });
  return ({ socket }) => refused.size > 0 && refused.has(peerOf(socket));
};

const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
