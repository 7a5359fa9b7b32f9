/** `node uploaders.ts <port> <path> <token> <clients>`: each sends 64 MiB as fast as they are taken. Prints when all do. */
import { connect } from "node:net";

const PIECE = Buffer.alloc(1024 * 1024, "x");
const PIECES = 64;
const [port, path, token, clients] = process.argv.slice(2);

let left = Number(clients);
for (let client = 0; client < Number(clients); client += 1) {
  const socket = connect(Number(port), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${PIECE.length * PIECES}\r\n\r\n`,
  );
  let pieces = PIECES;
  const send = (): void => {
    while (pieces > 0) {
      pieces -= 1;
      if (!socket.write(PIECE)) return;
    }
  };
  socket.on("drain", send);
  socket.on("connect", () => {
    left -= 1;
    if (left === 0) process.stdout.write("0\n");
  });
  send();
}
