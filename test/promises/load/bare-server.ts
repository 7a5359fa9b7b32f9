/** The least that a Node server can do: it answers, and prints its port. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const BODY = '{"status":"ok"}';

const server = createServer((incoming, outgoing) => {
  incoming.resume();
  outgoing.writeHead(200, ["Content-Type", "application/json", "Content-Length", String(BODY.length)]);
  outgoing.end(BODY);
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
