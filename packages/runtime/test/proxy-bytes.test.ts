import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answering, dial, exchange, gateway, get, type Peer, scriptedUpstream } from "./proxy-fixtures.ts";

/** All bytes that a field's value may hold beyond ASCII (RFC 9110 §5.5), once as UTF-8 would have them and once not. */
const OBS_TEXT = Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i)).join("");
const FIELD = `Content-Disposition: attachment; filename="r\xc3\xa9sum\xe9.pdf"; all="${OBS_TEXT}"`;
const REASON = `Caf\xc3\xa9 \xe9${OBS_TEXT}`;

/** Sends each part in a read of its own. */
const inParts =
  (...parts: readonly string[]) =>
  (peer: Peer): void => {
    let answered = false;
    peer.socket.setNoDelay(true);
    peer.socket.on("data", () => {
      if (answered) return;
      answered = true;
      const [first = "", ...rest] = parts;
      peer.send(first);
      for (const [i, part] of rest.entries()) setTimeout(() => peer.send(part), 60 * (i + 1));
    });
  };

const head = (...fields: readonly string[]): string =>
  `HTTP/1.1 200 ${REASON}\r\n${[FIELD, ...fields].map((field) => `${field}\r\n`).join("")}\r\n`;

describe("fields and reason phrases of a response, byte for byte", () => {
  const large = "z".repeat(40_000);
  for (const [what, method, parts, end] of [
    ["with its content", "GET", [`${head("Content-Length: 2")}ok`], "ok"],
    ["with large content", "GET", [`${head("Content-Length: 40000")}${large}`], "z"],
    ["alone, the content later", "GET", [head("Content-Length: 2"), "ok"], "ok"],
    ["alone, a chunk later", "GET", [head("Transfer-Encoding: chunked"), "2\r\nok\r\n0\r\n\r\n"], "0\r\n\r\n"],
    ["with a chunk", "GET", [`${head("Transfer-Encoding: chunked")}2\r\nok\r\n`, "0\r\n\r\n"], "0\r\n\r\n"],
    ["alone, an event later", "GET", [head("Content-Type: text/event-stream", "Connection: close"), "data: 1\n\n"], ""],
    ["without content", "GET", [head("Content-Length: 0")], ""],
    ["to HEAD", "HEAD", [head("Content-Length: 2")], ""],
    ["in a 304", "GET", [head("Content-Length: 2").replace("200", "304")], ""],
    ["in a 204", "GET", [head().replace("200", "204")], ""],
  ] as const) {
    test(what, async (t) => {
      const upstream = await scriptedUpstream(t, inParts(...parts));
      const gw = await gateway(t, upstream.origin);
      const client = await dial(t, gw.port, get("/").replace("GET", method));
      await client.has("\r\n\r\n");
      if (parts.length > 1) assert.doesNotMatch(client.received, /0\r\n\r\n$/, "the head did not wait");
      if (what.includes("event")) {
        await client.has("data: 1");
        (await upstream.connections.next("a connection")).socket.end();
      }
      await client.over();
      const [line = "", ...fields] = client.received.split("\r\n");
      assert.equal(line, `HTTP/1.1 ${/ (\d+) /.exec(parts[0])?.[1]} ${REASON}`);
      assert.equal(fields[0], FIELD);
      assert.ok(client.received.endsWith(end));
    });
  }

  test("behind the content", async (t) => {
    const answer = `${head("Transfer-Encoding: chunked")}2\r\nok\r\n0\r\nX-Sum: ${OBS_TEXT}\r\n\r\n`;
    const upstream = await scriptedUpstream(t, answering(answer));
    const gw = await gateway(t, upstream.origin);
    const { body } = await exchange(t, gw.port, get("/"));
    assert.equal(body, `2\r\nok\r\n0\r\nX-Sum: ${OBS_TEXT}\r\n\r\n`);
  });

  test("before the answer", async (t) => {
    const hints = `HTTP/1.1 103 ${REASON}\r\n${FIELD}\r\n\r\n`;
    const upstream = await scriptedUpstream(t, inParts(hints, `${head("Content-Length: 2")}ok`));
    const gw = await gateway(t, upstream.origin);
    const client = await dial(t, gw.port, get("/"));
    await client.over();
    assert.ok(client.received.startsWith(`${hints}HTTP/1.1 200 ${REASON}\r\n${FIELD}\r\n`), client.received);
  });

  test("in an answer of the gateway's own", async (t) => {
    const upstream = await scriptedUpstream(t, (peer) => void peer.socket.end());
    const gw = await gateway(t, upstream.origin, { responseFields: ["X-Note", OBS_TEXT] });
    const { status, head: got } = await exchange(t, gw.port, get("/"));
    assert.equal(status, 502);
    assert.ok(got.includes(`\r\nX-Note: ${OBS_TEXT}\r\n`), got);
  });
});

describe("fields of a request, byte for byte", () => {
  const value = `X-Name: r\xc3\xa9\xe9${OBS_TEXT}`;
  const content = `\xc3\xa9${OBS_TEXT}`;
  const long = content.repeat(200);
  for (const [what, fields, body, seen] of [
    ["without content", "", "", ""],
    ["with content", `Content-Length: ${content.length}\r\n`, content, content],
    ["with long content", `Content-Length: ${long.length}\r\n`, long, long],
    ["with chunks", "Transfer-Encoding: chunked\r\n", `82\r\n${content}\r\n0\r\n\r\n`, `82\r\n${content}\r\n0\r\n\r\n`],
  ] as const) {
    test(what, async (t) => {
      const upstream = await scriptedUpstream(t);
      const gw = await gateway(t, upstream.origin, { headers: [["X-Api-Key", OBS_TEXT]] });
      const client = await dial(t, gw.port, get("/", `${value}\r\n${fields}`).replace("GET", "POST") + body);
      const peer = await upstream.connections.next("a connection");
      await peer.has(`\r\n\r\n${seen}`);
      assert.ok(peer.received.includes(`\r\n${value}\r\n`), peer.received);
      assert.ok(peer.received.includes(`\r\nX-Api-Key: ${OBS_TEXT}\r\n`), peer.received);
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      await client.over();
      assert.match(client.received, /ok$/);
    });
  }
});
