/**
 * A process that guesses: `node guesser.ts '<JSON of Guesses>'` sends them and prints how they were answered. Apart from
 * whoever measures what it does to others; raw sockets, so that it takes little of the processor itself.
 */
import { connect, type Socket } from "node:net";

export interface Guesses {
  readonly url: string;
  readonly guesses: number;
  readonly atOnce: number;
  /** Tried in turn. */
  readonly usernames: readonly string[];
  /** Where they come from, in turn: a connection a guess. One alone: `atOnce` kept connections. */
  readonly sources: readonly string[];
}

/** How many were answered with each status; `0` without an answer. */
export type Answered = Readonly<Record<string, number>>;

const PATIENCE_MS = 30_000;

const main = async ({ url, guesses, atOnce, usernames, sources }: Guesses): Promise<Answered> => {
  const { hostname, port } = new URL(url);
  const answered: Record<string, number> = {};
  const kept = sources.length === 1;
  let sent = 0;

  const open = (localAddress: string): Socket => connect({ host: hostname, port: Number(port), localAddress });

  /** @returns the status, 0 when the connection ended without one */
  const guess = (socket: Socket, username: string, number: number): Promise<number> =>
    new Promise((settle) => {
      const body = `username=${username}&password=wrong-password-${number}`;
      let answer = "";
      const done = (status: number): void => {
        socket.removeAllListeners().on("error", () => undefined);
        clearTimeout(timer);
        settle(status);
      };
      const timer = setTimeout(() => done(0), PATIENCE_MS);
      socket.on("error", () => done(0)).on("close", () => done(0));
      socket.on("data", (chunk: Buffer) => {
        answer += chunk.toString("latin1");
        const end = answer.indexOf("\r\n\r\n");
        const length = Number(/^content-length: (\d+)/im.exec(answer)?.[1] ?? Number.NaN);
        if (end >= 0 && answer.length >= end + 4 + length) done(Number(answer.slice(9, 12)));
      });
      socket.write(
        `POST /auth/token HTTP/1.1\r\nHost: ${hostname}:${port}\r\n${kept ? "" : "Connection: close\r\n"}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    });

  const lane = async (): Promise<void> => {
    let socket: Socket | undefined;
    while (sent < guesses) {
      const number = sent;
      sent += 1;
      if (!kept || socket === undefined || socket.destroyed) socket = open(sources[number % sources.length] ?? "");
      const status = await guess(socket, usernames[number % usernames.length] ?? "", number);
      if (!kept) socket.destroy();
      answered[status] = (answered[status] ?? 0) + 1;
    }
    socket?.destroy();
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return answered;
};

if (import.meta.main) {
  process.stdout.write(`${JSON.stringify(await main(JSON.parse(process.argv[2] ?? "") as Guesses))}\n`);
}
