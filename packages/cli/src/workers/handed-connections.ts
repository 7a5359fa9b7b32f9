import cluster, { type Worker } from "node:cluster";
import { setTimeout as delay } from "node:timers/promises";

interface Connection {
  close(): void;
}

/** What Node's primary and its workers say to each other about a connection. */
interface ClusterMessage {
  readonly cmd?: unknown;
  readonly act?: unknown;
  readonly seq?: unknown;
  readonly ack?: unknown;
  readonly accepted?: unknown;
}

/** A worker that refuses is one that ends; another takes the connection over within a turn, unless all end. */
const TAKEN_OVER_MS = 1_000;
/** After a process's exit the end of its channel is read within a turn or two. */
const READ_TO_THE_END_MS = 1_000;
const LOOK_MS = 5;

/**
 * Node's primary hands an accepted connection to a worker and waits for its word. A worker that is killed before it
 * gives it takes the connection with it: its client would wait for ever. Such a connection was not read from, so it goes
 * to another worker as if the dead one had refused it; and one that all workers refused is closed.
 */
export class HandedConnections {
  readonly #refused = new Map<Connection, NodeJS.Timeout>();

  /** To be called right after the fork. */
  watch(worker: Worker): void {
    const { process: child } = worker;
    let handed: { readonly seq: unknown; readonly connection: Connection } | undefined;
    const send = child.send.bind(child);
    // Only Node itself sends connections, and with no more than these two arguments.
    child.send = ((message: ClusterMessage, connection?: Connection, ...rest: []): boolean => {
      if (message.cmd === "NODE_CLUSTER" && message.act === "newconn" && connection !== undefined) {
        handed = { seq: message.seq, connection };
        clearTimeout(this.#refused.get(connection));
        this.#refused.delete(connection);
      }
      return send(message as object, connection as never, ...rest);
    }) as typeof child.send;
    // Before Node's own listener, which may hand the connection on.
    child.prependListener("internalMessage", ({ ack, accepted }: ClusterMessage) => {
      if (handed === undefined || ack !== handed.seq) return;
      const { connection } = handed;
      handed = undefined;
      if (accepted !== true) this.#expectTaker(connection);
    });
    child.on("exit", async () => {
      // What it said last counts.
      for (let waited = 0; child.connected && waited < READ_TO_THE_END_MS; waited += LOOK_MS) await delay(LOOK_MS);
      if (handed === undefined) return;
      // While the arrival of a connection is not confirmed, Node puts this event off, here for ever, and goes on handing
      // connections to the dead.
      if (cluster.workers?.[worker.id] !== undefined) child.emit("disconnect");
      child.emit("internalMessage", { cmd: "NODE_CLUSTER", ack: handed.seq, accepted: false });
    });
  }

  #expectTaker(connection: Connection): void {
    const timer = setTimeout(() => {
      this.#refused.delete(connection);
      connection.close();
    }, TAKEN_OVER_MS);
    timer.unref();
    this.#refused.set(connection, timer);
  }
}
