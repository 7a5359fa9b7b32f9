import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { send } from "../../../test/support/http.ts";
import { NO_CORS } from "../src/cors/cors-answer.ts";
import { answerJson } from "../src/routes/answer.ts";
import { dispatcher } from "../src/routes/dispatch.ts";

const errors: [unknown, string][] = [];
const handle = dispatcher({
  routes: {
    "/plain": { methods: "GET, HEAD", handle: (request) => answerJson(request, 200, '{"é":1}', ["X-More", "1"]) },
    "/throws": {
      methods: "GET, HEAD",
      handle: () => {
        throw new Error("secret");
      },
    },
    "/rejects": { methods: "POST", handle: () => Promise.reject(new Error("secret")) },
    "/half": {
      methods: "GET, HEAD",
      handle: async ({ outgoing }) => {
        outgoing.writeHead(200).write("a part");
        throw new Error("secret");
      },
    },
  },
  notFound: "Nothing here.",
  onError: (error, requestId) => errors.push([error, requestId]),
});
const server = createServer((incoming, outgoing) =>
  handle({ incoming, outgoing, target: incoming.url ?? "", requestId: "r-1", expectsContinue: false, cors: NO_CORS }),
);
let url = "";

before(async () => {
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => server.close());

describe("routes", () => {
  it("are found by path, without the query and in every spelling of it", async () => {
    for (const path of ["/plain", "/plain?a=/x", "/%70lain", "/plai%6E?%zz"]) {
      const { status, body, headers } = await send(`${url}${path}`);
      assert.equal(status, 200, path);
      assert.equal(body, '{"é":1}');
      assert.equal(headers["content-type"], "application/json");
      assert.equal(headers["content-length"], "8");
      assert.equal(headers["x-request-id"], "r-1");
      assert.equal(headers["x-more"], "1");
    }
  });

  it("answer HEAD as GET, without the content", async () => {
    const { status, body, headers } = await send(`${url}/plain`, { method: "HEAD" });
    assert.deepEqual([status, body, headers["content-length"]], [200, "", "8"]);
  });

  it("refuse what there is none for", async () => {
    for (const path of ["/", "/plain/", "/Plain", "/plain%2F", "/%70lain%", "/__proto__", "/constructor"]) {
      const { status, body, headers } = await send(`${url}${path}`);
      assert.equal(status, 404, path);
      assert.equal(headers["content-type"], "application/problem+json");
      assert.deepEqual([JSON.parse(body).code, JSON.parse(body).detail], ["not_found", "Nothing here."]);
    }
    for (const [method, path, allow] of [
      ["POST", "/plain", "GET, HEAD"],
      ["DELETE", "/plain", "GET, HEAD"],
      ["GET", "/rejects", "POST"],
      ["HEAD", "/rejects", "POST"],
    ] as const) {
      const { status, headers } = await send(`${url}${path}`, { method });
      assert.deepEqual([status, headers.allow], [405, allow], `${method} ${path}`);
    }
  });

  it("answer with a 500 that says nothing, when they fail", async () => {
    for (const [method, path] of [
      ["GET", "/throws"],
      ["POST", "/rejects"],
    ] as const) {
      errors.length = 0;
      const { status, body } = await send(`${url}${path}`, { method });
      assert.equal(status, 500);
      assert.equal(JSON.parse(body).code, "internal_error");
      assert.ok(!body.includes("secret"));
      assert.deepEqual(
        errors.map(([error, requestId]) => [(error as Error).message, requestId]),
        [["secret", "r-1"]],
      );
    }
    await assert.rejects(send(`${url}/half`), "an answer that was begun is cut");
  });
});
