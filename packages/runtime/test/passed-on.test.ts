import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { describe, it } from "node:test";
import { sendContent } from "../src/proxy/client-side.ts";
import { onPassedOn, ownCopy } from "../src/proxy/passed-on.ts";

const LARGE = 64 * 1024;

describe("a piece of a body that was passed on", () => {
  it("gives its memory back when the system has taken it, and not before", async (t) => {
    const piece = ownCopy(Buffer.alloc(LARGE, "x"));
    const received: Buffer[] = [];
    const server = createTcpServer((socket) => socket.on("data", (bytes) => received.push(bytes)));
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    t.after(() => server.close());
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    t.after(() => socket.destroy());
    await new Promise<void>((done) => {
      const release = onPassedOn(piece);
      socket.write(piece, "latin1", () => {
        release?.();
        done();
      });
      assert.equal(piece.length, LARGE);
    });
    assert.equal(piece.length, 0);
    assert.equal(piece.buffer.byteLength, 0);
    await new Promise<void>((done) => socket.end(done));
    await new Promise<void>((done) => server.close(() => done()));
    assert.equal(Buffer.concat(received).toString(), "x".repeat(LARGE));
  });

  it("keeps it when it is small, or shares it with others", () => {
    assert.equal(onPassedOn(ownCopy(Buffer.alloc(100))), undefined);
    assert.equal(onPassedOn(Buffer.alloc(2 * LARGE).subarray(0, LARGE)), undefined);
  });

  it("goes to the client as it came, however often the reader's buffer is overwritten", async (t) => {
    const shared = Buffer.alloc(LARGE);
    const server = createServer((_request, response) => {
      response.writeHead(200, ["Content-Length", String(4 * LARGE)]);
      for (let turn = 0; turn < 4; turn += 1) sendContent(response, shared.fill(97 + turn), turn === 0, turn === 3);
    });
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    t.after(() => server.close());
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    assert.equal(await answer.text(), ["a", "b", "c", "d"].map((letter) => letter.repeat(LARGE)).join(""));
  });
});
