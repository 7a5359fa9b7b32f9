import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestGateway } from "../support/gateway.ts";
import { bearer, send, sendRaw, startUpstream } from "../support/http.ts";

test("what a service says of its own address", async (t) => {
  /** The fields that its next answer has. */
  let said: readonly string[] = [];
  const upstream = await startUpstream(t, (request, response) => {
    if (request.url?.endsWith("/jobs/7")) response.end("job 7");
    else response.writeHead(307, [...said, "Content-Length", "0"]).end();
  });
  const gateway = await startTestGateway(t, { services: { svc: upstream.url, based: `${upstream.url}/v1` } });
  const token = await gateway.tokenFor("john", { limit: 1_000 });

  /** The values of a field, byte for byte as Latin-1. */
  const got = async (path: string, name: string): Promise<readonly string[]> => {
    const request = `GET ${path} HTTP/1.1\r\nHost: gw.example\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`;
    const [head = ""] = (await sendRaw(gateway.url, request)).split("\r\n\r\n");
    assert.match(head, /^HTTP\/1\.1 307 /);
    return head.split("\r\n").flatMap((line) => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2)] : []));
  };

  await t.test("the prefix is told to it, and a client's own is not", async () => {
    await send(`${gateway.url}/api/based/jobs/7`, {
      headers: { ...bearer(token), "X-Forwarded-Prefix": "/evil", X_Forwarded_Prefix: "/evil" },
    });
    const { rawHeaders } = upstream.seen.at(-1) ?? { rawHeaders: [] };
    const at = rawHeaders.flatMap((name, index) => (/prefix/i.test(name) ? [index] : []));
    assert.deepEqual(
      at.map((index) => rawHeaders.slice(index, index + 2)),
      [["X-Forwarded-Prefix", "/api/based"]],
    );
  });

  await t.test("a client that follows redirects stays at the gateway and arrives", async () => {
    const { host } = new URL(upstream.url);
    for (const [service, location] of [
      ["svc", `${upstream.url}/jobs/7`],
      ["svc", `//${host}/jobs/7`],
      ["svc", "/jobs/7"],
      ["svc", "jobs/7"],
      ["svc", "/api/svc/jobs/7"],
      ["svc", `${gateway.url}/jobs/7`],
      ["svc", `${gateway.url}/api/svc/jobs/7`],
      ["based", `${upstream.url}/v1/jobs/7`],
      ["based", "/v1/jobs/7"],
      ["based", "/api/based/v1/jobs/7"],
    ] as const) {
      said = ["Location", location];
      for (const start of ["", "/start"]) {
        if (start !== "" && location === "jobs/7") continue;
        const answer = await fetch(`${gateway.url}/api/${service}${start}`, { headers: bearer(token) });
        const what = `${service}${start} to ${location}`;
        assert.equal(`${answer.status} ${await answer.text()}`, "200 job 7", what);
        assert.equal(answer.url, `${gateway.url}/api/${service}/jobs/7`, what);
      }
    }
  });

  await t.test("every such field is rewritten, whatever its case, and the rest of it stays byte for byte", async () => {
    const { host, hostname } = new URL(upstream.url);
    said = [
      "LOCATION",
      `http://${host}/r\xc3\xa9sum\xe9`,
      "Content-Location",
      "/jobs/7?\xff",
      "Refresh",
      `5; url=http://${host}/x`,
      "Set-Cookie",
      `a=\xe9; Domain=${hostname}; Path=/`,
      "set-cookie",
      "b=2; Path=/jobs; HttpOnly",
      "X-Location",
      `http://${host}/`,
    ];
    assert.deepEqual(await got("/api/svc/x", "LOCATION"), ["/api/svc/r\xc3\xa9sum\xe9"]);
    assert.deepEqual(await got("/api/svc/x", "Content-Location"), ["/api/svc/jobs/7?\xff"]);
    assert.deepEqual(await got("/api/svc/x", "Refresh"), ["5; url=/api/svc/x"]);
    assert.deepEqual(await got("/api/svc/x", "Set-Cookie"), ["a=\xe9; Path=/api/svc"]);
    assert.deepEqual(await got("/api/svc/x", "set-cookie"), ["b=2; Path=/api/svc/jobs; HttpOnly"]);
    assert.deepEqual(await got("/api/svc/x", "X-Location"), [`http://${host}/`]);
  });

  await t.test("others' addresses stay as they are, and the upstream is named by none", async () => {
    const { port } = new URL(upstream.url);
    for (const location of [
      "https://accounts.example.com/login?next=/jobs",
      `http://127.0.0.1:${Number(port) - 1}/x`,
      `https://127.0.0.1:${port}/x`,
      "../x",
      "?page=2",
    ]) {
      said = ["Location", location];
      assert.deepEqual(await got("/api/svc/a/b", "Location"), [location]);
    }
    said = ["Location", `http://127.0.0.1:${port}/beside`];
    assert.deepEqual(await got("/api/based/a", "Location"), ["/beside"]);
  });
});
