import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { it } from "node:test";
import { isStoreFault } from "../src/errors.ts";
import { translated, wasDone } from "../src/store/mongodb/translate-error.ts";

/** What a socket says that the other side has ended, and when nobody listens. */
const socketErrors = async (): Promise<readonly unknown[]> => {
  const server = createServer((socket) =>
    socket
      .on("error", () => undefined)
      .resume()
      .end(),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const ended = connect(port, "127.0.0.1")
    .on("error", () => undefined)
    .resume();
  await once(ended, "end");
  const late = await new Promise((settle) => ended.write("too late", settle));
  ended.destroy();
  server.close();
  await once(server, "close");
  return [late, await new Promise((settle) => connect(port, "127.0.0.1").once("error", settle))];
};

it("a socket's own error, which the driver hands on, is a fault of the store after which nobody knows what was done", async () => {
  for (const error of await socketErrors()) {
    const fault: unknown = await translated(() => Promise.reject(error)).catch((thrown: unknown) => thrown);
    assert.ok(isStoreFault(fault), String(fault));
    assert.equal(wasDone(fault), "perhaps");
  }
  // A mistake stays one.
  const mistake = new TypeError("no such method");
  await assert.rejects(
    translated(() => Promise.reject(mistake)),
    mistake,
  );
});
