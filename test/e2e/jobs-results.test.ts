import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { addService } from "@aigw/core";
import { startTestGateway } from "../support/gateway.ts";
import { bearer, startUpstream } from "../support/http.ts";
import { codeOf } from "../support/job-scene.ts";
import { jobClient } from "../support/jobs.ts";
import { UNLIMITED } from "../support/prepared-home.ts";

const EVENTS = ["data: one\n\n", "data: two\n\n", "event: done\ndata: [DONE]\n\n"];
const TEXT = "all work and no play ".repeat(10_000);
const PACKED = gzipSync(TEXT);

/** By path, what the service says. */
const ANSWERS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "/events": (response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
    const [first, ...rest] = EVENTS;
    response.write(first);
    setImmediate(() => {
      for (const event of rest) response.write(event);
      response.end();
    });
  },
  "/unchanged": (response) => response.writeHead(304, { ETag: '"v1"' }).end(),
  "/packed": (response) =>
    response
      .writeHead(200, { "Content-Type": "text/plain", "Content-Encoding": "gzip", Vary: "Accept-Encoding" })
      .end(PACKED),
};

describe("the result of a job", () => {
  it("is the service's answer, also a stream of events, one without content, and one that is packed", async (t) => {
    const service = await startUpstream(t, (request, response) => ANSWERS[request.url ?? ""]?.(response));
    const gateway = await startTestGateway(t);
    const { rev } = await addService(gateway.deps, { name: "whisper", url: service.url, jobs: { on: true } });
    await gateway.applied(rev);
    const token = await gateway.tokenFor("john", UNLIMITED);
    const john = jobClient(gateway.url, token);
    const resultOf = async (path: string, headers: Record<string, string> = {}): Promise<string> => {
      const id = await john.submit(`/api/whisper${path}`, { method: "GET", headers });
      await john.becomes(id, "done");
      return `/jobs/${id}/result`;
    };
    const unpacked = async (path: string): Promise<string> =>
      (await fetch(`${gateway.url}${path}`, { headers: bearer(token) })).text();

    const events = await john.get(await resultOf("/events"));
    assert.deepEqual([events.status, events.body], [200, EVENTS.join("")]);
    assert.deepEqual(
      [events.headers["content-type"], events.headers["content-length"], events.headers["transfer-encoding"]],
      ["text/event-stream", String(EVENTS.join("").length), undefined],
    );

    const unchanged = await john.get(await resultOf("/unchanged", { "If-None-Match": '"v1"' }));
    assert.deepEqual([unchanged.status, unchanged.headers.etag, unchanged.body], [304, '"v1"', ""]);
    assert.deepEqual([unchanged.headers["content-length"], unchanged.headers["accept-ranges"]], [undefined, undefined]);
    assert.equal(service.seen[1]?.rawHeaders.includes('"v1"'), true);

    // As it came, whatever its reader takes; a part is a part of what is packed.
    const packed = await resultOf("/packed");
    const whole = await john.get(packed, { "Accept-Encoding": "identity" });
    assert.deepEqual(
      [whole.headers["content-encoding"], whole.headers["content-length"], whole.headers.vary],
      ["gzip", String(PACKED.length), "Accept-Encoding"],
    );
    assert.equal(await unpacked(packed), TEXT);
    const parts = await Promise.all(["bytes=0-99", "bytes=100-"].map((range) => john.get(packed, { Range: range })));
    assert.deepEqual(
      parts.map(({ status, headers }) => [status, headers["content-encoding"], headers["content-range"]]),
      [
        [206, "gzip", `bytes 0-99/${PACKED.length}`],
        [206, "gzip", `bytes 100-${PACKED.length - 1}/${PACKED.length}`],
      ],
    );

    // It is away, not gone: as long as its folder is.
    const folder = join(gateway.home, "jobs");
    renameSync(folder, `${folder}.away`);
    const away = await john.get(packed);
    assert.deepEqual([away.status, codeOf(away), away.headers["retry-after"]], [503, "unavailable", "5"]);
    renameSync(`${folder}.away`, folder);
    assert.equal(await unpacked(packed), TEXT);
  });
});
