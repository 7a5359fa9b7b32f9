import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { openHome, systemClock } from "@aigw/core";
import { startOcrService } from "../../examples/ocr-service/src/server.ts";
import { aigw, cleanEnv, startGatewayProcess, temporaryHome } from "../support/aigw.ts";
import { type Block, blocksIn } from "../support/documents.ts";
import { storeUrlOf } from "../support/engine.ts";
import { startUpstream } from "../support/http.ts";
import { until, within } from "../support/until.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const DOCUMENT = "docs/metering.md";

const TOTALS = { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 };

/** Speaks the OpenAI API as far as the walk goes: a chat completion, and as a stream with totals where they are asked for. */
const chat = (request: IncomingMessage, response: ServerResponse): void => {
  let body = "";
  request.setEncoding("utf8").on("data", (text: string) => {
    body += text;
  });
  request.on("end", () => {
    const { model, stream, stream_options: options } = JSON.parse(body || "{}");
    response.writeHead(200, { "Content-Type": stream === true ? "text/event-stream" : "application/json" });
    if (stream !== true) {
      response.end(JSON.stringify({ model, choices: [{ index: 0, message: { content: "Hello" } }], usage: TOTALS }));
      return;
    }
    const event = (data: object): string => `data: ${JSON.stringify({ model, ...data })}\n\n`;
    response.write(event({ choices: [{ index: 0, delta: { content: "Hello" } }], usage: null }));
    if (options?.include_usage === true) response.write(event({ choices: [], usage: TOTALS }));
    response.end("data: [DONE]\n\n");
  });
};

const whisper = (request: IncomingMessage, response: ServerResponse): void => {
  request.resume().on("end", () => {
    response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
    response.end("1\n00:00:00,000 --> 00:00:03,000\nHello.\n");
  });
};

/** Three seconds of silence: 8,000 bytes each. */
const speech = (): Buffer => {
  const data = Buffer.alloc(24_000, 0x80);
  const head = Buffer.from("RIFF....WAVEfmt \x10\0\0\0\x01\0\x01\0....\0\0\0\0\x01\0\x08\0data....", "latin1");
  head.writeUInt32LE(36 + data.length, 4);
  head.writeUInt32LE(8_000, 24);
  head.writeUInt32LE(8_000, 28);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
};

/** One bash for all of it, as a person has it; the first line that fails ends it. */
const pasting = (cwd: string, env: NodeJS.ProcessEnv): ((lines: string) => Promise<string>) => {
  const bash = spawn("bash", ["--norc", "--noprofile", "-e", "-s"], { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
  after(() => bash.kill("SIGKILL"));
  let text = "";
  let code: number | null | undefined;
  for (const stream of [bash.stdout, bash.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
  }
  bash.once("close", (ended) => {
    code = ended;
  });
  let blocks = 0;
  return async (lines) => {
    blocks += 1;
    const from = text.length;
    bash.stdin.write(`${lines}\nprintf 'done %s.\\n' ${blocks}\n`);
    await until(
      lines,
      () => {
        if (code !== undefined) assert.fail(`ended with ${code} at:\n${lines}\n${text}`);
        return text.includes(`done ${blocks}.`, from);
      },
      30_000,
    );
    return text.slice(from);
  };
};

/** Blanks in a row are one: how the columns of a table are set apart is no matter here. */
const even = (text: string): string => text.replaceAll(/[ \t]+/g, " ");

test("the walk of docs/metering.md works as it is written: a chat, a transcription and an OCR service", async (t) => {
  const home = temporaryHome(t);
  const folder = mkdtempSync(join(tmpdir(), "aigw-walk-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "speech.wav"), speech());
  copyFileSync(join(ROOT, "examples/ocr-service/sample.png"), join(folder, "sample.png"));
  const ocr = await startOcrService({ port: 0 });
  t.after(() => ocr.close());
  const [chats, whispers] = await Promise.all([startUpstream(t, chat), startUpstream(t, whisper)]);
  assert.equal((await aigw(home, ["init"])).code, 0);
  const gateway = await startGatewayProcess(t, home);
  const { store } = await openHome({ home, storeUrl: storeUrlOf(home), clock: systemClock });
  t.after(() => store.close());
  const here = (text: string): string =>
    [
      ["http://127.0.0.1:8000", chats.url],
      ["http://127.0.0.1:8001", whispers.url],
      ["http://127.0.0.1:8080", gateway.url],
      ["http://127.0.0.1:9000", ocr.url],
    ].reduce((all, [written = "", real = ""]) => all.replaceAll(written, real), text);
  const env = { ...cleanEnv(home), PATH: `${join(ROOT, "node_modules/.bin")}:${process.env["PATH"]}`, NO_COLOR: "1" };
  const paste = pasting(folder, env);
  const blocks = blocksIn(DOCUMENT).filter(({ heading }) => / service$/.test(heading));
  assert.deepEqual(
    [...new Set(blocks.map(({ heading }) => heading))],
    ["A chat service", "A transcription service", "An OCR service"],
  );
  let calls = 0;
  let printed = "";
  for (const { language, text } of blocks satisfies readonly Block[]) {
    if (language === "bash") {
      // What is asked for next was recorded off the calls' way.
      const count = calls;
      if (text.includes("aigw usage"))
        await until(
          "the calls to be recorded",
          async () => (await store.traffic.latestUsage({}, 99)).events.length >= count,
        );
      printed = await within(text, paste(here(text)), 30_000);
      // What the gateway alone had asked for is not the client's to see.
      if (text.includes('"stream":true')) assert.ok(!printed.includes("total_tokens"), printed);
      calls += text.split("http://127.0.0.1:8080/api/").length - 1;
      continue;
    }
    for (const line of text.trim().split("\n")) {
      assert.ok(even(printed).includes(even(line)), `'${line}' is not in:\n${printed}`);
    }
  }
  assert.equal(calls, 4);
});
