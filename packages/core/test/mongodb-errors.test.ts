import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { it } from "node:test";
import { isStoreFault } from "../src/errors.ts";
import { translated, wasDone } from "../src/store/mongodb/translate-error.ts";

/** What a socket says when nobody listens. */
const socketError = async (): Promise<unknown> => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((listening) => server.once("listening", listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return new Promise((failed) => connect(port, "127.0.0.1").once("error", failed));
};

it("a socket's own error, which the driver hands on, is a fault of the store after which nobody knows what was done", async () => {
  const error = await socketError();
  const fault: unknown = await translated(() => Promise.reject(error)).catch((thrown: unknown) => thrown);
  assert.ok(isStoreFault(fault), String(fault));
  assert.equal(wasDone(fault), "perhaps");
  // A mistake stays one.
  const mistake = new TypeError("no such method");
  await assert.rejects(
    translated(() => Promise.reject(mistake)),
    mistake,
  );
});
