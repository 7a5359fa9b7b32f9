import { createServer } from "node:net";

/**
 * A port that nobody listens on just now. `--port 0` needs it named: the listener goes when its last worker goes, and
 * the next one is to be found where the gateway was.
 * @returns 0 when `host` cannot be listened on; whoever tries next can say why
 */
export const freePort = (host: string): Promise<number> =>
  new Promise((settle) => {
    const server = createServer();
    server.once("error", () => settle(0));
    server.listen({ host, port: 0 }, () => {
      const address = server.address();
      server.close(() => settle(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
