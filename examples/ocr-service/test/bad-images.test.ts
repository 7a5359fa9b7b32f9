import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { file, lines, noise, png, pngChunk, post, SAMPLE, SAMPLE_TEXT, start } from "./support.ts";

const fixture = (name: string): Buffer<ArrayBuffer> => file(`test/fixtures/${name}`);
const cut = (image: Buffer<ArrayBuffer>, share: number): Buffer<ArrayBuffer> =>
  image.subarray(0, Math.floor(image.length * share));
const after = (magic: string): Buffer<ArrayBuffer> => Buffer.concat([Buffer.from(magic, "latin1"), noise(5_000)]);

/** A PNG that is right but for one chunk. */
function pngWith(chunk: Buffer): Buffer<ArrayBuffer> {
  return Buffer.concat([SAMPLE.subarray(0, 33), chunk, pngChunk("IEND", Buffer.alloc(0))]);
}

const BAD: Record<string, Buffer<ArrayBuffer>> = {
  "nothing at all": Buffer.alloc(0),
  "one zero byte": Buffer.alloc(1),
  "zero bytes": Buffer.alloc(4_096),
  text: Buffer.from("hello, this is no picture\n".repeat(50)),
  "a PDF": Buffer.from("%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"),
  "a TIFF, which a cut would halve in silence": fixture("order.tif"),
  "the PNG magic alone": SAMPLE.subarray(0, 8),
  "a PNG cut in its header": SAMPLE.subarray(0, 20),
  "a PNG cut after its header": SAMPLE.subarray(0, 33),
  "a PNG cut in the middle": cut(SAMPLE, 0.5),
  "a PNG without its last bytes": SAMPLE.subarray(0, -13),
  "a PNG with random bytes": after("\x89PNG\r\n\x1a\n"),
  "a PNG with a broken stream": pngWith(pngChunk("IDAT", noise(2_000))),
  "a PNG with too few pixels": pngWith(pngChunk("IDAT", deflateSync(Buffer.alloc(10)))),
  "a PNG without pixels": png(0, 0, Buffer.alloc(0)),
  "a PNG of 2147483647 squared": png(0x7fff_ffff, 0x7fff_ffff, Buffer.alloc(1_000)),
  "a PNG that unpacks to 144 megapixels": png(12_000, 12_000, Buffer.alloc(12_001 * 12_000)),
  "a PNG too wide for tesseract": png(40_000, 100, Buffer.alloc(40_001 * 100)),
  "a JPEG cut in its header": cut(fixture("order.jpg"), 0.05),
  "a JPEG cut in the middle": cut(fixture("order.jpg"), 0.7),
  "a JPEG with random bytes": after("\xff\xd8\xff\xe0"),
  "a JPEG of markers only": Buffer.alloc(10_000, 0xff).fill(0xd8, 1, 2),
  "a WebP cut in its header": fixture("order.webp").subarray(0, 27),
  "a WebP cut in the middle": cut(fixture("order.webp"), 0.5),
  "a WebP with random bytes": after("RIFF\x90\x13\0\0WEBPVP8 "),
  "a moving WebP": fixture("animated.webp"),
  "a GIF cut in the middle": cut(fixture("order.gif"), 0.5),
  "a GIF with random bytes": after("GIF89a"),
  "a moving GIF": fixture("animated.gif"),
  "a BMP cut in its header": fixture("order.bmp").subarray(0, 20),
  "a BMP cut in the middle": cut(fixture("order.bmp"), 0.5),
  "a BMP with random bytes": after("BM"),
};

test("each bad picture is refused with 422, and the next good one is read", { timeout: 120_000 }, async (t) => {
  const url = await start(t);
  for (const [name, image] of Object.entries(BAD)) {
    await t.test(name, async () => {
      const answer = await post(url, image, { "content-type": "image/png" });
      assert.equal(answer.status, 422);
      assert.ok(typeof answer.error === "string" && answer.error.length > 0);
      assert.equal(answer.text, undefined);
    });
  }
  const answer = await post(url, SAMPLE);
  assert.deepEqual(lines(answer.text), lines(SAMPLE_TEXT));
});

test("a bad picture among good ones at once harms none of them", { timeout: 60_000 }, async (t) => {
  const url = await start(t);
  const order = fixture("order.jpg");
  const images = [order, cut(SAMPLE, 0.5), order, cut(order, 0.7), order];
  const answers = await Promise.all(images.map((image) => post(url, image)));
  assert.deepEqual(
    answers.map((answer) => answer.status),
    [200, 422, 200, 422, 200],
  );
});

test("a form in a file's place", async (t) => {
  const url = await start(t);
  const empty = new FormData();
  empty.append("file", new File([], "empty.png"));
  assert.equal((await post(url, empty)).status, 422);
  const words = new FormData();
  words.append("file", "only words");
  assert.equal((await post(url, words)).status, 400);
  const broken = await post(url, "no form", { "content-type": "multipart/form-data; boundary=x" });
  assert.deepEqual([broken.status, broken.error], [400, "the multipart/form-data body cannot be parsed"]);
});
