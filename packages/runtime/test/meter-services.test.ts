import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { after, before, describe, test } from "node:test";
import { brotliCompressSync, createGzip, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { parseMeters } from "@aigw/core/meters";
import { serviceMeter } from "../src/meters/service-meter.ts";
import type { CallResult } from "../src/proxy/call.ts";
import { AUDIO_FILES } from "./meter-files.ts";
import { SHAPES, type Shape } from "./meter-shapes.ts";
import { dial, gateway, portOf, type TestGateway, within } from "./proxy-fixtures.ts";

const CODINGS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};

const pairs = (flat: readonly string[]): [string, string][] =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as string, flat[2 * i + 1] as string]);

/** Speaks each shape under its number; `?coding=…` compresses it, `?pieces=n` writes so many bytes at a time. */
const speak = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
  const { pathname, searchParams } = new URL(incoming.url ?? "", "http://service");
  const shape = SHAPES[Number(pathname.slice(1))] as Shape;
  const coding = searchParams.get("coding") ?? "";
  const content = CODINGS[coding]?.(Buffer.from(shape.content)) ?? Buffer.from(shape.content);
  const size = Number(searchParams.get("pieces") ?? content.length);
  for (const [name, value] of pairs(shape.fields ?? [])) outgoing.setHeader(name, value);
  if (shape.type !== "") outgoing.setHeader("Content-Type", shape.type);
  if (coding !== "") outgoing.setHeader("Content-Encoding", coding);
  if (shape.trailers !== undefined) outgoing.setHeader("Trailer", "X-Pages");
  outgoing.writeHead(shape.status ?? 200);
  const next = (from: number): void => {
    if (from < content.length) {
      outgoing.write(content.subarray(from, from + size));
      setImmediate(() => next(from + size));
    } else {
      if (shape.trailers !== undefined) outgoing.addTrailers(pairs(shape.trailers));
      outgoing.end();
    }
  };
  incoming.resume().on("end", () => next(0));
};

const service = createServer(speak);
before(() => once(service.listen(0, "127.0.0.1"), "listening"));
after(() => {
  service.closeAllConnections();
  service.close();
});

interface Got {
  readonly status: number | undefined;
  readonly fields: readonly string[];
  readonly trailers: readonly string[];
  readonly content: string;
}

const ask = async (
  port: number,
  path: string,
  options: { method?: string; headers?: Record<string, string>; content?: Buffer } = {},
): Promise<Got> => {
  const call = request({
    port,
    host: "127.0.0.1",
    path,
    method: options.method ?? "POST",
    agent: false,
    headers: options.headers ?? {},
  });
  call.end(options.content);
  const [answer] = (await within(once(call, "response"), "an answer")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const fields = answer.rawHeaders.filter((_, i, raw) => !/^date$/i.test(raw[i - (i % 2)] ?? ""));
  return {
    status: answer.statusCode,
    fields,
    trailers: answer.rawTrailers,
    content: Buffer.concat(chunks).toString("latin1"),
  };
};

const expectedOf = ({ units, model, metered, problem }: Shape): CallResult["reading"] => ({
  units: Object.fromEntries(Object.entries(units).map(([unit, value]) => [unit, Math.round(value * 1e6)])),
  ...(problem === undefined
    ? { metered: metered ?? "yes", from: "answer" }
    : { metered: "no", problem: problem as "not_found" }),
  ...(model !== undefined && { model }),
});

const metered = (t: Parameters<typeof gateway>[0], origin: string, meter: string): Promise<TestGateway> =>
  gateway(t, origin, { meter: serviceMeter(parseMeters(meter)) });

describe("services behind a gateway with their meter", () => {
  test("are read as they speak, and their clients get what they get without one", async (t) => {
    const origin = `http://127.0.0.1:${portOf(service)}`;
    const bare = await gateway(t, origin);
    const gateways = new Map<string, TestGateway>();
    for (const [i, shape] of SHAPES.entries()) {
      const gw = gateways.get(shape.meter) ?? (await metered(t, origin, shape.meter));
      gateways.set(shape.meter, gw);
      const ways = ["", "?pieces=7", ...Object.keys(CODINGS).map((coding) => `?coding=${coding}&pieces=29`)];
      for (const way of shape.content === "" ? [""] : ways) {
        const path = `/${i}${way}`;
        const [got, plain] = await Promise.all([ask(gw.port, path), ask(bare.port, path)]);
        const { reading, outcome } = await gw.results.next("a result");
        assert.deepEqual(reading, expectedOf(shape), `${shape.name} ${way}`);
        assert.deepEqual(got, plain, `${shape.name} ${way}`);
        assert.equal(outcome, "ok");
        const without = await bare.results.next("a result");
        assert.equal("reading" in without, false);
      }
    }
  });

  test("that speak byte by byte are read, too", async (t) => {
    const origin = `http://127.0.0.1:${portOf(service)}`;
    for (const name of [
      "OpenAI chat stream with include_usage",
      "Anthropic message stream",
      "Ollama chat stream",
      "OpenAI chat",
    ]) {
      const i = SHAPES.findIndex((shape) => shape.name === name);
      const shape = SHAPES[i] as Shape;
      const gw = await metered(t, origin, shape.meter);
      const { content } = await ask(gw.port, `/${i}?pieces=1`);
      assert.equal(content, Buffer.from(shape.content).toString("latin1"));
      assert.deepEqual((await gw.results.next("a result")).reading, expectedOf(shape), name);
    }
  });

  test("calls one behind the other on one connection are each read for themselves", async (t) => {
    const gw = await metered(t, `http://127.0.0.1:${portOf(service)}`, "openai");
    const wanted = ["OpenAI chat", "an answer without any of it", "vLLM rerank", "an error"].map((name) =>
      SHAPES.findIndex((shape) => shape.name === name),
    );
    const peer = await dial(t, gw.port, wanted.map((i) => `GET /${i} HTTP/1.1\r\nHost: gw.example\r\n\r\n`).join(""));
    for (const i of wanted)
      assert.deepEqual((await gw.results.next("a result")).reading, expectedOf(SHAPES[i] as Shape));
    await peer.has("error");
  });

  test("HEAD and preflights are worth nothing", async (t) => {
    const gw = await metered(t, `http://127.0.0.1:${portOf(service)}`, "openai");
    await ask(gw.port, "/0", { method: "HEAD" });
    assert.deepEqual((await gw.results.next("a result")).reading, { units: {}, metered: "no", problem: "no_content" });
    const nobody = await gateway(t, `http://127.0.0.1:${portOf(service)}`, {
      meter: serviceMeter(parseMeters("openai")),
      clientName: "",
    });
    await ask(nobody.port, "/0");
    assert.equal("reading" in (await nobody.results.next("a result")), false);
  });
});

const event = (content: string): string =>
  `data: ${JSON.stringify({ model: "m", choices: [{ index: 0, delta: { content } }] })}\n\n`;

describe("a stream", () => {
  /** Sends one event, and the rest when it is told to. */
  const halting = async (
    t: Parameters<typeof gateway>[0],
    coding = "",
  ): Promise<{ origin: string; go: (how: "end" | "break") => void; aborted: Promise<unknown> }> => {
    const { promise: gone, resolve: goOn } = Promise.withResolvers<"end" | "break">();
    const { promise: aborted, resolve: abort } = Promise.withResolvers<unknown>();
    const server = createServer((_, outgoing) => {
      outgoing.on("close", () => abort(undefined));
      outgoing.writeHead(200, {
        "Content-Type": "text/event-stream",
        ...(coding !== "" && { "Content-Encoding": coding }),
      });
      const out = coding === "" ? outgoing : createGzip();
      if (out !== outgoing) (out as ReturnType<typeof createGzip>).pipe(outgoing);
      out.write(event("Hello"));
      if ("flush" in out) out.flush();
      void gone.then((how) => {
        if (how === "break") outgoing.destroy();
        else
          out.end(
            `${event("!")}data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } })}\n\ndata: [DONE]\n\n`,
          );
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return { origin: `http://127.0.0.1:${portOf(server)}`, go: goOn, aborted };
  };

  for (const coding of ["", "gzip"]) {
    test(`${coding === "" ? "plain" : "compressed"}: its first event reaches the client before the second exists`, async (t) => {
      const { origin, go } = await halting(t, coding);
      const gw = await metered(t, origin, "openai");
      const peer = await dial(t, gw.port, "GET / HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n\r\n");
      await peer.has(coding === "" ? "Hello" : "\x1f\x8b");
      assert.equal(gw.results.all.length, 0);
      go("end");
      await peer.over();
      const { reading } = await gw.results.next("a result");
      assert.deepEqual(reading, {
        units: { input_tokens: 3e6, output_tokens: 2e6 },
        metered: "yes",
        from: "answer",
        model: "m",
      });
    });
  }

  test("that the service breaks off is estimated by its pieces", async (t) => {
    const { origin, go } = await halting(t);
    const gw = await metered(t, origin, "openai");
    const peer = await dial(t, gw.port, "GET / HTTP/1.1\r\nHost: gw.example\r\n\r\n");
    await peer.has("Hello");
    go("break");
    const { reading, outcome } = await gw.results.next("a result");
    assert.equal(outcome, "incomplete");
    assert.deepEqual(reading, { units: { output_tokens: 1e6 }, metered: "estimated", from: "answer", model: "m" });
  });

  test("that the client leaves is estimated, and the service sees it leave", async (t) => {
    const { origin, aborted } = await halting(t);
    const gw = await metered(t, origin, "openai");
    const peer = await dial(t, gw.port, "GET / HTTP/1.1\r\nHost: gw.example\r\n\r\n");
    await peer.has("Hello");
    peer.socket.destroy();
    const { reading, outcome } = await gw.results.next("a result");
    assert.equal(outcome, "aborted");
    assert.equal(reading?.metered, "estimated");
    await within(aborted, "the service's end");
  });

  test("that is cut off by its gateway is told, also while it is decompressed", async (t) => {
    const { origin } = await halting(t, "gzip");
    const gw = await metered(t, origin, "openai");
    const peer = await dial(t, gw.port, "GET / HTTP/1.1\r\nHost: gw.example\r\n\r\n");
    await peer.has("\x1f\x8b");
    gw.proxy.close();
    assert.equal(gw.results.all.length, 1);
    const { reading, outcome } = await gw.results.next("a result");
    assert.equal(outcome, "incomplete");
    assert.ok(reading?.metered === "estimated" || reading?.problem === "cut");
    assert.equal(gw.proxy.open, 0);
  });

  test("whose service never answers, or is not there, is not metered", async (t) => {
    const gw = await metered(t, "http://127.0.0.1:1", "openai,request:seconds=audio");
    assert.equal((await ask(gw.port, "/")).status, 502);
    assert.deepEqual((await gw.results.next("a result")).reading, { units: {}, metered: "no", problem: "failed" });
  });
});

describe("uploads", () => {
  const audio = Buffer.from((AUDIO_FILES["m4a with its index at the end"] as { base64: string }).base64, "base64");
  const form = (file: Buffer): Buffer =>
    Buffer.concat([
      Buffer.from(
        '--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--XX\r\nContent-Disposition: form-data; name="file"; filename="a.m4a"\r\n\r\n',
      ),
      file,
      Buffer.from("\r\n--XX--\r\n"),
    ]);

  test("of any size and framing are read on their way, and arrive as they were", async (t) => {
    const arrived: string[] = [];
    const server = createServer((incoming, outgoing) => {
      const hash = createHash("sha256");
      incoming.on("data", (chunk: Buffer) => hash.update(chunk));
      incoming.on("end", () => {
        arrived.push(hash.digest("hex"));
        outgoing.writeHead(200, { "Content-Type": "application/x-subrip" });
        outgoing.end("1\n00:00:00,000 --> 00:00:00,500\nHello\n");
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    t.after(() => server.close());
    const gw = await metered(t, `http://127.0.0.1:${portOf(server)}`, "openai,request:seconds=audio");
    const padding = Buffer.concat([Buffer.from([0, 0x10, 0, 8]), Buffer.from("free"), randomBytes(0x10_0000)]);
    const large = Buffer.concat([
      audio.subarray(0, audio.indexOf("ftyp") - 4 + audio.readUInt32BE(0)),
      padding,
      audio.subarray(audio.readUInt32BE(0)),
    ]);
    for (const file of [audio, large]) {
      for (const framing of [
        { "Content-Length": String(form(file).length) },
        { "Transfer-Encoding": "chunked" },
      ] as Record<string, string>[]) {
        const content = form(file);
        await ask(gw.port, "/v1/audio/transcriptions", {
          headers: { "Content-Type": "multipart/form-data; boundary=XX", ...framing },
          content,
        });
        const { reading, bytesIn } = await gw.results.next("a result");
        assert.equal(arrived.at(-1), createHash("sha256").update(content).digest("hex"));
        assert.equal(bytesIn, content.length);
        assert.deepEqual(
          reading,
          { units: { seconds: 500_000 }, metered: "yes", from: "request" },
          `${file.length} bytes`,
        );
      }
    }
  });

  test("that break off are not metered", async (t) => {
    const gw = await metered(t, `http://127.0.0.1:${portOf(service)}`, "request:seconds=audio");
    const peer = await dial(
      t,
      gw.port,
      "POST /0 HTTP/1.1\r\nHost: gw.example\r\nContent-Type: audio/mp4\r\nContent-Length: 100000\r\n\r\n",
    );
    peer.socket.write(audio);
    await gw.exchanges.next("the call");
    peer.socket.destroy();
    assert.deepEqual((await gw.results.next("a result")).reading, { units: {}, metered: "no", problem: "failed" });
  });
});
