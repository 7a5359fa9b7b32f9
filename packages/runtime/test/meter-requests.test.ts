import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { parseMeters } from "@aigw/core/meters";
import type { Reading } from "../src/meters/reading.ts";
import { ServiceMeter } from "../src/meters/service-meter.ts";
import { AUDIO_FILES } from "./meter-files.ts";
import { threadMs } from "./meter-fixtures.ts";

interface Sent {
  readonly meter: string;
  readonly type?: string;
  readonly fields?: readonly string[];
  readonly content: Buffer;
  readonly pieceBytes?: number;
  readonly isSentWhole?: boolean;
  readonly status?: number;
  readonly isWhole?: boolean;
}

const METERS = new Map<string, ServiceMeter>();

/** The reading of a call whose answer says nothing. */
const readRequest = (sent: Sent): Reading => {
  const {
    meter,
    type,
    fields = [],
    content,
    pieceBytes = 65_536,
    isSentWhole = true,
    status = 200,
    isWhole = true,
  } = sent;
  const service = METERS.get(meter) ?? new ServiceMeter(parseMeters(meter));
  METERS.set(meter, service);
  const reader = service.start();
  reader.onRequestHead([...(type === undefined ? [] : ["content-type", type]), ...fields]);
  const shared = Buffer.alloc(pieceBytes);
  for (let at = 0; at < content.length; at += pieceBytes) {
    const length = content.copy(shared, 0, at);
    reader.onRequestContent(shared.subarray(0, length));
    shared.fill(0x2a);
  }
  if (isSentWhole) reader.onRequestEnd();
  reader.onHead(status, ["Content-Type", "text/plain"]);
  reader.onContent(Buffer.from("1\n00:00:00,000 --> 00:00:01,000\nHello\n"));
  let reading: Reading | undefined;
  reader.onEnd([], isWhole, {
    onReading: (told) => {
      reading = told;
    },
  });
  assert.ok(reading);
  return reading;
};

const BOUNDARY = "----form.7MA4YW(x)";
const part = (disposition: string, content: Buffer | string, type = ""): Buffer =>
  Buffer.concat([
    Buffer.from(
      `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n${type === "" ? "" : `Content-Type: ${type}\r\n`}\r\n`,
    ),
    Buffer.from(content as string),
    Buffer.from("\r\n"),
  ]);
const form = (...parts: readonly Buffer[]): Pick<Sent, "type" | "content"> => ({
  type: `multipart/form-data; boundary="${BOUNDARY}"`,
  content: Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)]),
});

const chunkOf = (id: string, content: Buffer, size: number = content.length): Buffer => {
  const head = Buffer.alloc(8);
  head.write(id, "latin1");
  head.writeUInt32LE(size, 4);
  return Buffer.concat([head, content, Buffer.alloc(content.length % 2)]);
};
/** PCM of 16 kHz, mono, 16 bits. */
const wav = (seconds: number, { dataSize = seconds * 32_000, extra = true } = {}): Buffer => {
  const format = Buffer.alloc(16);
  format.writeUInt16LE(1, 0);
  format.writeUInt16LE(1, 2);
  format.writeUInt32LE(16_000, 4);
  format.writeUInt32LE(32_000, 8);
  const list = extra ? chunkOf("LIST", Buffer.alloc(27)) : Buffer.alloc(0);
  return Buffer.concat([
    Buffer.from("RIFF\0\0\0\0WAVE"),
    chunkOf("fmt ", format),
    list,
    chunkOf("data", Buffer.alloc(seconds * 32_000), dataSize),
  ]);
};
const flac = (samples: number): Buffer => {
  const info = Buffer.alloc(34);
  info.writeUIntBE((44_100 << 4) | 0b0000, 10, 3);
  info.writeUInt8(0xf0 | Math.floor(samples / 2 ** 32), 13);
  info.writeUInt32BE(samples % 2 ** 32, 14);
  return Buffer.concat([Buffer.from("fLaC"), Buffer.from([0x80, 0, 0, 34]), info, Buffer.alloc(500)]);
};
/** Frames of MPEG-1 layer III, 44.1 kHz: 128 and 64 kbit/s in turn. */
const mp3 = (frames: number, vbri?: number): Buffer => {
  const frame = (i: number): Buffer => {
    const fast = i % 2 === 0;
    const bytes = Buffer.alloc(Math.floor((144 * (fast ? 128_000 : 64_000)) / 44_100));
    bytes.writeUInt32BE(fast ? 0xfffb9000 : 0xfffb5000, 0);
    if (i === 0 && vbri !== undefined) {
      bytes.write("VBRI", 36, "latin1");
      bytes.writeUInt32BE(vbri, 50);
    }
    return bytes;
  };
  return Buffer.concat(Array.from({ length: frames }, (_, i) => frame(i)));
};
const tagged = (content: Buffer, size: number): Buffer => {
  const tag = Buffer.alloc(10 + size, "x");
  tag.write("ID3\x04\0\0", "latin1");
  for (const [i, shift] of [21, 14, 7, 0].entries()) tag.writeUInt8((size >> shift) & 0x7f, 6 + i);
  return Buffer.concat([tag, content, Buffer.from(`TAG${"t".repeat(125)}`)]);
};

const AUDIO: Readonly<Record<string, readonly [Buffer, number | undefined]>> = {
  ...Object.fromEntries(
    Object.entries(AUDIO_FILES).map(([name, { seconds, base64 }]) => [name, [Buffer.from(base64, "base64"), seconds]]),
  ),
  "a WAV": [wav(3), 3],
  "a WAV of which the length was not known": [wav(3, { dataSize: 0xffff_ffff }), 3],
  "a WAV that says 0": [wav(3, { dataSize: 0, extra: false }), 3],
  "a WAV that says more than it has": [wav(3, { dataSize: 320_000 }), 3],
  "a FLAC": [flac(441_000), 10],
  "a FLAC of more than 2³² samples": [flac(2 ** 33), 2 ** 33 / 44_100],
  "a FLAC that does not say": [flac(0), undefined],
  "an MP3 of a varying rate, counted": [mp3(100), (100 * 1_152) / 44_100],
  "an MP3 with VBRI": [mp3(3, 1_000), (1_000 * 1_152) / 44_100],
  "an MP3 behind a large picture": [tagged(mp3(100), 100_000), (100 * 1_152) / 44_100],
  "a WAV of nothing": [wav(0, { extra: false }), 0],
};

const pdfOf = (objects: readonly string[], trailer = ""): Buffer =>
  Buffer.from(
    `%PDF-1.7\n%\xe2\xe3\xcf\xd3\n${objects.map((object) => `${object}\n`).join("")}trailer\n<< /Root 1 0 R ${trailer} >>\n%%EOF\n`,
    "latin1",
  );
const CATALOG = "1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj";
const page = (number: number, parent = 2): string =>
  `${number} 0 obj\n<< /Type /Page /Parent ${parent} 0 R /MediaBox [0 0 9 9] >>\nendobj`;
const TREE = [
  CATALOG,
  "2 0 obj\n<</Type/Pages/Kids[3 0 R 4 0 R]/Count 3>>\nendobj",
  "3 0 obj\n<< /Type /Pages /Parent 2 0 R /Kids [5 0 R 6 0 R] /Count 2 >>\nendobj",
  page(4),
  page(5, 3),
  page(6, 3),
];
const binary = (length: string, content: string): string =>
  `9 0 obj\n<< /Length ${length} >>\nstream\n${content}\nendstream\nendobj`;
/** Something that looks like objects, and is a picture's content. */
const DECOY = "8 0 obj << /Type /Pages /Count 77 >> endobj stream\n".repeat(30);
const objectStream = (
  objects: readonly (readonly [number, string])[],
  { length, filter = "/FlateDecode" }: { length?: string; filter?: string } = {},
): string => {
  let at = 0;
  const places = objects.map(([number, text]) => {
    const place = `${number} ${at}`;
    at += text.length + 1;
    return place;
  });
  const head = `${places.join(" ")}\n`;
  const content = deflateSync(Buffer.from(head + objects.map(([, text]) => `${text}\n`).join(""), "latin1")).toString(
    "latin1",
  );
  return `20 0 obj\n<< /Type /ObjStm /N ${objects.length} /First ${head.length} /Filter ${filter} /Length ${length ?? content.length} >>\nstream\r\n${content}\r\nendstream\nendobj`;
};
const HIDDEN: readonly (readonly [number, string])[] = [
  [1, "<< /Type /Catalog /Pages 2 0 R >>"],
  [2, "<< /Count 41 /Kids [3 0 R] /Type /Pages >>"],
  [3, "<< /Type /Page /Parent 2 0 R >>"],
];
const linearized = (pages: number): Buffer => {
  const text = (length: number): Buffer =>
    pdfOf([`1 0 obj\n<< /Linearized 1 /L ${String(length).padStart(8, "0")} /N ${pages} /O 3 >>\nendobj`]);
  return text(text(0).length);
};

const PDFS: Readonly<Record<string, readonly [Buffer, number | undefined]>> = {
  "a tree of pages": [pdfOf(TREE), 3],
  "a tree behind a picture that looks like one": [pdfOf([binary(String(DECOY.length), DECOY), ...TREE]), 3],
  "a picture behind it": [pdfOf([...TREE, binary(String(DECOY.length), DECOY)]), 3],
  "a stream whose length is an object": [pdfOf([binary("10 0 R", "\xff".repeat(9_000)), ...TREE]), 3],
  "objects in a compressed stream": [pdfOf([objectStream(HIDDEN)]), 41],
  "one whose length is an object": [pdfOf([objectStream(HIDDEN, { length: "21 0 R" })]), 41],
  "pages that were added later": [
    Buffer.concat([pdfOf(TREE), pdfOf(["2 0 obj\n<< /Type /Pages /Kids [4 0 R] /Count 1 >>\nendobj"])]),
    1,
  ],
  "pages without a tree": [pdfOf([page(3), page(4), page(4), page(5)]), 3],
  "a linearized file": [linearized(500), 500],
  "one that was appended to": [Buffer.concat([linearized(500), pdfOf(TREE)]), 3],
  "objects that nothing here can read": [
    pdfOf([objectStream(HIDDEN, { filter: "/Crypt" }).replace("stream\r\nx", "stream\r\ny")], "/Encrypt 7 0 R"),
    undefined,
  ],
  "no page": [pdfOf([CATALOG]), undefined],
};
PDFS["objects that nothing here can read"]?.[0].fill(0, 150, 190);

const PNG = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(200, 1)]);
const JPEG = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(200, 1)]);

describe("what a request is worth by itself", () => {
  for (const [name, [content, seconds]] of Object.entries(AUDIO)) {
    test(`seconds of ${name}, alone and in a form, in pieces of any size`, () => {
      const expected = seconds === undefined ? undefined : Math.round(seconds * 1e6);
      const sents = [
        { content, type: "audio/whatever" },
        form(
          part('name="model"', "whisper-1"),
          part('name="file"; filename="a.bin"', content, "application/octet-stream"),
          part('name="x"', "y"),
        ),
      ];
      for (const sent of sents) {
        for (const pieceBytes of [1, 7, 64, 1_000, 65_536]) {
          const reading = readRequest({ ...sent, meter: "request:seconds=audio", pieceBytes });
          const seen = reading.units["seconds"];
          if (expected === undefined)
            assert.deepEqual(reading, { units: {}, metered: "no", problem: "request_unread" });
          else
            assert.ok(
              seen !== undefined && Math.abs(seen - expected) < 1_000,
              `${seen}, not ${expected}, in pieces of ${pieceBytes}`,
            );
          if (expected !== undefined) assert.equal(reading.from, "request");
        }
      }
    });
  }

  for (const [name, [content, pages]] of Object.entries(PDFS)) {
    test(`pages of a PDF with ${name}`, () => {
      for (const sent of [{ content, type: "application/pdf" }, form(part('name="file"; filename="a.pdf"', content))]) {
        for (const pieceBytes of [1, 2, 13, 100, 65_536]) {
          const reading = readRequest({ ...sent, meter: "request:pages=pdf", pieceBytes });
          if (pages === undefined) assert.deepEqual(reading, { units: {}, metered: "no", problem: "request_unread" });
          else
            assert.deepEqual(
              reading,
              { units: { pages: pages * 1e6 }, metered: "yes", from: "request" },
              `${pieceBytes}`,
            );
        }
      }
    });
  }

  test("files of one form add up; when one cannot be read, nothing is said", () => {
    const file = (name: string, content: Buffer): Buffer => part(`name="f"; filename="${name}"`, content);
    const meter = "request:seconds=audio,pages=pdf,images=images";
    const several = form(
      file("1", wav(2)),
      file("2", wav(1)),
      file("3", PNG),
      file("4", pdfOf(TREE)),
      file("5", JPEG),
      part('name="g"', PNG),
    );
    for (const pieceBytes of [1, 100, 65_536]) {
      const { units } = readRequest({ ...several, meter, pieceBytes });
      assert.deepEqual(units, { seconds: 3_000_000, pages: 3_000_000, images: 2_000_000 });
    }
    const { units } = readRequest({ ...form(file("1", wav(2)), file("2", flac(0)), file("3", PNG)), meter });
    assert.deepEqual(units, { images: 1_000_000 });
  });

  test("a boundary is one only where it stands at a line's beginning", () => {
    const content = Buffer.concat([wav(1), Buffer.from(`--${BOUNDARY}\r\n\r--${BOUNDARY}\r\n-${BOUNDARY}`)]);
    const whole = Buffer.concat([
      Buffer.from("a preamble\r\n"),
      form(part('name="f"; filename="a"', content)).content,
      Buffer.from("an epilogue"),
    ]);
    for (let pieceBytes = 1; pieceBytes < 120; pieceBytes += 1)
      assert.deepEqual(readRequest({ ...form(), content: whole, meter: "request:seconds=audio", pieceBytes }).units, {
        seconds: 1_000_000,
      });
  });

  test("parts without fields and without content are parts", () => {
    const odd = Buffer.from(`--${BOUNDARY} \t\r\n\r\nplain\r\n--${BOUNDARY}\r\n\r\n\r\n`);
    for (const pieceBytes of [1, 5, 65_536]) {
      const sent = form(odd, part('name="f"; filename=""', ""), part('name="g"; filename="x"', PNG));
      assert.deepEqual(readRequest({ ...sent, meter: "request:images=images", pieceBytes }).units, {
        images: 1_000_000,
      });
    }
  });

  test("a pointer finds a number of a JSON request, and images are counted in its messages", () => {
    const meter = "request:n=/n,images=images";
    const image = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo" } };
    const chat = {
      n: 2,
      messages: [
        { role: "user", content: [{ type: "text", text: "?" }, image, image] },
        { role: "user", content: "x" },
        { content: [image] },
      ],
    };
    const read = (value: unknown, type = "application/json"): Reading =>
      readRequest({ meter, type, content: Buffer.from(JSON.stringify(value)) });
    assert.deepEqual(read(chat), { units: { n: 2_000_000, images: 3_000_000 }, metered: "yes", from: "request" });
    assert.deepEqual(read({ model: "llava", images: ["a", "b"] }).units, { images: 2_000_000 });
    assert.deepEqual(read({ messages: [{ images: ["a"] }, { images: ["b", "c"] }] }).units, { images: 3_000_000 });
    assert.deepEqual(read({ n: -1 }), { units: {}, metered: "no", problem: "bad_value" });
    assert.deepEqual(read({ n: 1 }, "text/plain").units, {});
  });

  test("the answer comes first when it is tried first", () => {
    const service = new ServiceMeter(parseMeters("openai,request:seconds=audio"));
    const reader = service.start();
    reader.onRequestHead(["Content-Type", "audio/wav"]);
    reader.onRequestContent(wav(3));
    reader.onRequestEnd();
    reader.onHead(200, ["Content-Type", "application/json"]);
    reader.onContent(Buffer.from('{"usage":{"type":"duration","seconds":4}}'));
    let told: Reading | undefined;
    reader.onEnd([], true, { onReading: (reading) => (told = reading) });
    assert.deepEqual(told, { units: { seconds: 4_000_000 }, metered: "yes", from: "answer" });
  });

  test("is nothing when the service refused it, and estimated when the answer broke off", () => {
    const sent = { meter: "request:seconds=audio", type: "audio/wav", content: wav(2) };
    assert.deepEqual(readRequest({ ...sent, status: 500 }), { units: {}, metered: "no", problem: "failed" });
    assert.deepEqual(readRequest({ ...sent, isWhole: false }), {
      units: { seconds: 2_000_000 },
      metered: "estimated",
      from: "request",
    });
    assert.deepEqual(readRequest({ ...sent, isSentWhole: false }), {
      units: {},
      metered: "no",
      problem: "request_unread",
    });
  });

  test("what is compressed is not unpacked", () => {
    const content = gzipSync(wav(2));
    const reading = readRequest({
      meter: "request:seconds=audio",
      type: "audio/wav",
      fields: ["Content-Encoding", "gzip"],
      content,
    });
    assert.equal(reading.metered, "no");
  });
});

describe("a hostile request", () => {
  const bounded = (what: () => void): void => {
    const heap = process.memoryUsage().heapUsed;
    const started = threadMs();
    what();
    assert.ok(threadMs() - started < 1_000, `${threadMs() - started} ms`);
    assert.ok(process.memoryUsage().heapUsed - heap < 64 * 1024 * 1024);
  };

  test("bombs in a PDF are not unpacked", () => {
    const bomb = deflateSync(Buffer.alloc(16 * 1024 * 1024)).toString("latin1");
    const stream = `7 0 obj\n<< /Type /ObjStm /Length ${bomb.length} >>\nstream\n${bomb}\nendstream\nendobj`;
    bounded(() => {
      const reading = readRequest({
        meter: "request:pages=pdf",
        type: "application/pdf",
        content: pdfOf(Array.from({ length: 200 }, () => stream)),
      });
      assert.deepEqual(reading, { units: {}, metered: "no", problem: "request_unread" });
    });
  });

  for (const [name, content] of Object.entries({
    "objects without end": `%PDF-1.7\n${"1 0 obj ".repeat(500_000)}`,
    "a dictionary without end": `%PDF-1.7\n1 0 obj <<${" /A /B".repeat(700_000)}`,
    "blanks without end": `%PDF-1.7\n1 0 obj << /Type${" ".repeat(4_000_000)}`,
    "digits without end": `%PDF-1.7\n${"1".repeat(4_000_000)} 0 obj << /Type /Page >>`,
    "numbers without end": `%PDF-1.7\n${"1 ".repeat(2_000_000)}`,
    "streams without content": `%PDF-1.7\n${"1 0 obj << /Length 0 >> stream\nendstream endobj\n".repeat(80_000)}`,
    "small streams without end": `%PDF-1.7\n${"stream\n".repeat(600_000)}`,
    "Ogg pages of nothing": `OggS${"\0".repeat(23)}${`OggS${"\0".repeat(23)}`.repeat(150_000)}`,
    "MPEG noise": `ID3\x04\0\0\0\0\0\0${"\xff\xfb".repeat(2_000_000)}`,
    "MP4 boxes of nothing": `\0\0\0\x14ftypM4A ${"\0\0\0\x08moov".repeat(500_000)}`,
    "WAV chunks of nothing": `RIFF\0\0\0\0WAVE${"abcd\0\0\0\0".repeat(500_000)}`,
  })) {
    test(`${name}: bounded in time and memory`, () => {
      const bytes = Buffer.from(content, "latin1");
      bounded(() => {
        const reading = readRequest({
          meter: "request:seconds=audio,pages=pdf",
          type: "application/octet-stream",
          content: bytes,
        });
        assert.equal(typeof reading.metered, "string");
      });
    });
  }

  test("forms of thousands of parts, of heads without end and of noise are survived", () => {
    bounded(() => {
      for (const content of [
        Buffer.concat(Array.from({ length: 5_000 }, () => part('name="f"; filename="a"', PNG))),
        Buffer.from(`--${BOUNDARY}\r\n${"x: y\r\n".repeat(500_000)}`),
        Buffer.from(`--${BOUNDARY}${" ".repeat(1_000_000)}`),
        Buffer.from("\r\n--".repeat(500_000)),
      ]) {
        const reading = readRequest({ ...form(), content, meter: "request:images=images" });
        assert.deepEqual(reading, { units: {}, metered: "no", problem: "request_unread" });
      }
    });
  });

  test("a file that its reader stumbles over costs the reading, and nothing else", () => {
    const service = new ServiceMeter(parseMeters("request:seconds=audio"));
    const read = (content: Buffer): Reading | undefined => {
      const reader = service.start();
      reader.onRequestHead(["Content-Type", "audio/wav"]);
      reader.onRequestContent(content);
      reader.onRequestEnd();
      reader.onHead(200, []);
      let reading: Reading | undefined;
      reader.onEnd([], true, {
        onReading: (told) => {
          reading = told;
        },
      });
      return reading;
    };
    const stone = Object.defineProperty(wav(1), "readUInt32LE", {
      value: () => {
        throw new RangeError("out of range");
      },
    });
    assert.deepEqual(read(stone), { units: {}, metered: "no", problem: "request_unread" });
    assert.deepEqual(read(wav(1))?.units, { seconds: 1_000_000 });
  });

  test("files cut short and altered anywhere are survived", () => {
    let seed = 3;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return (seed >> 4) % below;
    };
    const files = [...Object.values(AUDIO), ...Object.values(PDFS)]
      .map(([content]) => content)
      .filter(({ length }) => length < 20_000);
    for (let i = 0; i < 1_500; i += 1) {
      const file = Buffer.from(files[random(files.length)] as Buffer);
      for (let edits = random(6); edits > 0; edits -= 1) file[random(file.length)] = random(256);
      const content = random(3) === 0 ? file.subarray(0, random(file.length)) : file;
      const { units } = readRequest({
        meter: "request:seconds=audio,pages=pdf",
        type: "application/octet-stream",
        content,
        pieceBytes: 1 + random(500),
      });
      for (const value of Object.values(units)) assert.ok(Number.isSafeInteger(value) && value >= 0);
    }
  });
});
