import { connect } from "node:net";
import { until } from "./until.ts";

export interface Flood {
  /** How often each status came back. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Of all bodies, by their Content-Length. */
  readonly bytes: number;
}

/** Sends the calls pipelined on one connection, as fast as they are taken. */
export const flood = async (url: string, token: string, paths: readonly string[]): Promise<Flood> => {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  const statuses = new Map<number, number>();
  let answered = 0;
  let bytes = 0;
  let rest = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    const lines = (rest + text).split("\r\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      bytes += Number(/^content-length: (\d+)$/i.exec(line)?.[1] ?? 0);
      const status = /HTTP\/1\.1 (\d{3}) /.exec(line)?.[1];
      if (status === undefined) continue;
      answered += 1;
      statuses.set(Number(status), (statuses.get(Number(status)) ?? 0) + 1);
    }
  });
  const calls = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  socket.write(calls.join(""));
  await until("the answers to the flood", () => answered === paths.length, 30_000);
  socket.destroy();
  return { statuses, bytes };
};
