import assert from "node:assert/strict";
import { request } from "node:http";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ResponseParser } from "../src/proxy/upstream/response-parser.ts";

interface Read {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly string[];
  /** Those before it: status, reason, fields. */
  readonly interims: readonly string[];
  readonly content: string;
  readonly trailers: readonly string[];
  /** Nothing came after it. */
  readonly clean: boolean;
  readonly keepAliveMs: number;
}

/** What one response is read as when it arrives in these pieces, followed by the connection's end. */
const read = (pieces: readonly string[], method = "GET", parser = new ResponseParser()): Read | undefined => {
  let head: Pick<Read, "status" | "reason" | "fields"> | undefined;
  let content = "";
  const interims: string[] = [];
  parser.start(method, {
    onInterim: ({ status, reason, fields }) => {
      interims.push([status, reason, ...fields].join(" "));
    },
    onHead: ({ status, reason, fields }) => {
      head = { status, reason, fields };
    },
    onContent: (bytes) => {
      content += bytes.toString("latin1");
    },
  });
  let clean = true;
  for (const piece of pieces) {
    clean = parser.read(Buffer.from(piece, "latin1")) && clean;
    if (!clean && parser.busy) return undefined;
  }
  if (parser.busy && !parser.end()) return undefined;
  return head && { ...head, interims, content, trailers: parser.trailers, clean, keepAliveMs: parser.keepAliveMs };
};

const VALID: readonly (readonly [text: string, expected: Partial<Read>])[] = [
  [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    { status: 200, reason: "OK", content: "ok", keepAliveMs: Infinity },
  ],
  ["HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", { status: 200, reason: "", content: "" }],
  ["HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", { status: 200, reason: "" }],
  [
    "HTTP/1.1 599 Caf\xe9\r\nX: \xff\xa0\r\nContent-Length: 0\r\n\r\n",
    { status: 599, reason: "Caf\xe9", fields: ["X", "\xff\xa0", "Content-Length", "0"] },
  ],
  [
    "HTTP/1.1 200 OK\r\nA:\r\nB: \t b c\t \r\nContent-Length: 1\r\n\r\n\0",
    { content: "\0", fields: ["A", "", "B", "b c", "Content-Length", "1"] },
  ],
  ["HTTP/1.1 200 OK\r\n\r\nuntil the end", { content: "until the end", keepAliveMs: 0 }],
  ["HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", { content: "ok", keepAliveMs: 0 }],
  [
    "HTTP/1.1 200 OK\r\nConnection: Keep-Alive, Close\r\nContent-Length: 2\r\n\r\nok",
    { content: "ok", keepAliveMs: 0 },
  ],
  ["HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=9\r\nContent-Length: 2\r\n\r\nok", { keepAliveMs: 5_000 }],
  [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n00A;x="y"\r\n0123456789\r\n0\r\n\r\n',
    { content: "abc0123456789", trailers: [] },
  ],
  [
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\nA: b\r\nC:\r\n\r\n",
    { content: "\n", trailers: ["A", "b", "C", ""] },
  ],
  [
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    { status: 204, interims: ["103 Early Hints Link </a>"], content: "", clean: true },
  ],
  [
    "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
    { status: 304, content: "", clean: true, keepAliveMs: 0 },
  ],
  [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3  \r\nabc\r\n2\t ; a\t=\t"b" \t;c\r\nde\r\n0   \r\n\r\n',
    { content: "abcde", clean: true },
  ],
];

const head = (...fields: string[]): string =>
  `HTTP/1.1 200 OK\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`;
const CHUNKED = head("Transfer-Encoding: chunked");

const INVALID: Readonly<Record<string, string>> = {
  "another protocol": "SSH-2.0-OpenSSH_9.9\r\n\r\n",
  "HTTP/2": "HTTP/2.0 200 OK\r\n\r\n",
  "HTTP/1.2": "HTTP/1.2 200 OK\r\n\r\n",
  "lower case": "http/1.1 200 OK\r\n\r\n",
  "bytes before the status line": `\r\n${head("Content-Length: 0")}`,
  "two digits": "HTTP/1.1 20 OK\r\n\r\n",
  "four digits": "HTTP/1.1 2000 OK\r\n\r\n",
  "status 000": "HTTP/1.1 000 OK\r\n\r\n",
  "no blank after the version": "HTTP/1.1200 OK\r\n\r\n",
  "two blanks after the version": "HTTP/1.1  200 OK\r\n\r\n",
  "another protocol agreed to": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
  "an interim response in HTTP/1.0": "HTTP/1.0 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
  "line feeds alone": "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
  "one line feed alone": "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n",
  "a carriage return alone": head("A: b\rc", "Content-Length: 0"),
  "NUL in a value": head("A: b\0c", "Content-Length: 0"),
  "a control character in the reason": "HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n",
  "a folded line": head("A: b\r\n c", "Content-Length: 0"),
  "a blank before the colon": head("Content-Length : 0"),
  "a blank before the name": head(" A: b", "Content-Length: 0"),
  "no colon": head("Content-Length 0"),
  "no name": head(": b", "Content-Length: 0"),
  "a name that is no token": head("A(b): c", "Content-Length: 0"),
  "two lengths": `${head("Content-Length: 2", "Content-Length: 3")}abc`,
  "the same length twice": `${head("Content-Length: 2", "content-length: 2")}ok`,
  "a list of lengths": `${head("Content-Length: 2, 2")}ok`,
  "a negative length": `${head("Content-Length: -2")}ok`,
  "a signed length": `${head("Content-Length: +2")}ok`,
  "a hexadecimal length": `${head("Content-Length: 0x2")}ok`,
  "an empty length": `${head("Content-Length:")}ok`,
  "a length beyond all numbers": `${head("Content-Length: 9999999999999999")}ok`,
  "length and coding": `${head("Content-Length: 2", "Transfer-Encoding: chunked")}0\r\n\r\n`,
  "a coding that is not chunked": `${head("Transfer-Encoding: gzip")}ok`,
  "chunked below gzip": `${head("Transfer-Encoding: gzip, chunked")}0\r\n\r\n`,
  "chunked twice": `${head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}0\r\n\r\n`,
  "chunked in HTTP/1.0": `${CHUNKED.replace("1.1", "1.0")}0\r\n\r\n`,
  "no chunk size": `${CHUNKED}\r\nabc\r\n0\r\n\r\n`,
  "a chunk size that is none": `${CHUNKED}xyz\r\nabc\r\n0\r\n\r\n`,
  "a signed chunk size": `${CHUNKED}+3\r\nabc\r\n0\r\n\r\n`,
  "a chunk size with 0x": `${CHUNKED}0x3\r\nabc\r\n0\r\n\r\n`,
  "a chunk size beyond all numbers": `${CHUNKED}ffffffffffffffff\r\nabc\r\n0\r\n\r\n`,
  "a chunk longer than its size": `${CHUNKED}2\r\nabc\r\n0\r\n\r\n`,
  "a chunk size line that ends with a line feed": `${CHUNKED}3\nabc\r\n0\r\n\r\n`,
  "an extension with a line feed": `${CHUNKED}3;a\nb\r\nabc\r\n0\r\n\r\n`,
  "a blank before a chunk size": `${CHUNKED} 3\r\nabc\r\n0\r\n\r\n`,
  "a blank within a chunk size": `${CHUNKED}0 3\r\nabc\r\n0\r\n\r\n`,
  "a blank for a chunk size": `${CHUNKED} \r\nabc\r\n0\r\n\r\n`,
  "something else behind a chunk size": `${CHUNKED}3 x\r\nabc\r\n0\r\n\r\n`,
  "endless blanks behind a chunk size": `${CHUNKED}3${" ".repeat(2_000)}\r\nabc\r\n0\r\n\r\n`,
  "a vertical tab behind a chunk size": `${CHUNKED}3\v\r\nabc\r\n0\r\n\r\n`,
  "an empty extension": `${CHUNKED}3;\r\nabc\r\n0\r\n\r\n`,
  "an endless extension": `${CHUNKED}3;${"a".repeat(2_000)}\r\nabc\r\n0\r\n\r\n`,
  "a chunk that ends with a line feed": `${CHUNKED}3\r\nabc\n0\r\n\r\n`,
  "a trailer with a line feed": `${CHUNKED}0\r\nA: b\n\r\n`,
  "a trailer without colon": `${CHUNKED}0\r\nabc\r\n\r\n`,
  "a length behind the content": `${CHUNKED}0\r\nA: b\r\ncontent-length: 0\r\n\r\n`,
  "endless trailers": `${CHUNKED}0\r\n${"A: b\r\n".repeat(4_000)}\r\n`,
  "a head over 16 KiB": head(`A: ${"b".repeat(17_000)}`, "Content-Length: 0"),
  "the end before the head's": "HTTP/1.1 200 OK\r\nContent-Le",
  "the end before the length's": `${head("Content-Length: 3")}ok`,
  "the end before the last chunk": `${CHUNKED}3\r\nabc\r\n`,
  "the end before the last line": `${CHUNKED}3\r\nabc\r\n0\r\n`,
  nothing: "",
};

describe("a response is read", () => {
  for (const [text, expected] of VALID) {
    test(`wherever it is cut: ${JSON.stringify(text).slice(0, 70)}`, () => {
      const whole = read([text]);
      assert.partialDeepStrictEqual(whole, expected);
      for (let at = 1; at < text.length; at += 1) {
        assert.deepEqual(read([text.slice(0, at), text.slice(at)]), whole, `cut at ${at}`);
      }
      assert.deepEqual(read(Array.from(text)), whole, "byte by byte");
    });
  }

  test("to HEAD without content, whatever its length says", () => {
    const answer = read([head("Content-Length: 3")], "HEAD");
    assert.partialDeepStrictEqual(answer, { content: "", clean: true, keepAliveMs: 0 });
  });

  test("and what follows it is nobody's", () => {
    for (const text of [
      `${head("Content-Length: 2")}okHTTP/1.1`,
      `${CHUNKED}0\r\n\r\nx`,
      `${head("Content-Length: 0")}\r\n`,
    ]) {
      assert.equal(read([text])?.clean, false);
    }
  });
});

describe("a response is refused", () => {
  for (const [what, text] of Object.entries(INVALID)) {
    test(what, () => {
      assert.equal(read([text]), undefined);
      assert.equal(read(Array.from(text)), undefined, "byte by byte");
    });
  }

  test("as soon as it cannot become one, and not when the connection ends", () => {
    for (const text of ["SSH-2.0", "HTTP/1.1 200 OK\nA", "HTTP/2", "\0"]) {
      const parser = new ResponseParser();
      parser.start("GET", {
        onInterim: () => assert.fail(),
        onHead: () => assert.fail(),
        onContent: () => assert.fail(),
      });
      assert.equal(parser.read(Buffer.from(text)), false, text);
    }
  });

  test("bytes that nobody asked for", () => {
    assert.equal(new ResponseParser().read(Buffer.from("HTTP/1.1 200 OK\r\n\r\n")), false);
  });
});

/** The same by Node's own parser. */
const readByNode = (text: string): Promise<Pick<Read, "status" | "content"> | undefined> =>
  new Promise((settle) => {
    const socket = new Duplex({
      read: () => undefined,
      write: (_chunk, _encoding, done) => {
        done();
        socket.push(Buffer.from(text, "latin1"));
        socket.push(null);
      },
    });
    const call = request({ createConnection: () => socket, method: "GET", headers: { Host: "a" } });
    call.on("error", () => settle(undefined));
    call.on("response", (answer) => {
      let content = "";
      answer.setEncoding("latin1").on("data", (part: string) => {
        content += part;
      });
      answer.on("error", () => settle(undefined));
      answer.on("close", () => settle(answer.complete ? { status: answer.statusCode ?? 0, content } : undefined));
    });
    call.end();
  });

describe("whatever comes", () => {
  const pieces = [
    "\r",
    "\n",
    "\r\n",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "\0",
    "0",
    "1",
    "f",
    "-",
    "+",
    "chunked",
    "Content-Length: 1\r\n",
    "\x80",
    "HTTP/1.1 200 OK\r\n",
  ];
  const mutation = fc.record({
    at: fc.nat({ max: 120 }),
    cut: fc.nat({ max: 3 }),
    put: fc.constantFrom("", ...pieces),
  });
  const mutated = fc
    .tuple(fc.constantFrom(...VALID.map(([text]) => text)), fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([text, mutations]) =>
      mutations.reduce((now, { at, cut, put }) => now.slice(0, at) + put + now.slice(at + cut), text),
    );

  test("what is read is what Node's strict parser reads, or more is refused", async () => {
    let both = 0;
    await fc.assert(
      fc.asyncProperty(mutated, async (text) => {
        const ours = read([text]);
        // Node drops what follows a response in its own way; such a connection is not used again here.
        // And it does not take a tab behind a value for white space, as RFC 9112 §5 does, nor blanks around what stands
        // behind a chunk's size, as §7.1.1 does.
        if (ours === undefined || !ours.clean || /\t\s*\r|\n[0-9a-f]+[ \t;][^\r]*\r/i.test(text)) return;
        const { status, content } = ours;
        assert.deepEqual(await readByNode(text), { status, content }, JSON.stringify(text));
        both += 1;
      }),
      { numRuns: 3_000 },
    );
    assert.ok(both > 300, `only ${both} were read`);
  });

  test("it is read the same behind a response that it is like", () => {
    let behind = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...VALID.map(([text]) => text)),
        fc.array(mutation, { maxLength: 2 }),
        fc.array(fc.nat({ max: 120 }), { maxLength: 1 }),
        (first, mutations, cuts) => {
          const parser = new ResponseParser();
          if (read([first], "GET", parser)?.clean !== true || parser.keepAliveMs === 0) return;
          const next = mutations.reduce((now, { at, cut, put }) => now.slice(0, at) + put + now.slice(at + cut), first);
          const at = cuts[0] ?? next.length;
          const pieces = [next.slice(0, at), next.slice(at)].filter((piece) => piece !== "");
          assert.deepEqual(read(pieces, "GET", parser), read(pieces), JSON.stringify([first, next]));
          behind += 1;
        },
      ),
      { numRuns: 5_000 },
    );
    assert.ok(behind > 500, `only ${behind} were read behind another`);
  });

  test("it is read the same however it is cut", () => {
    fc.assert(
      fc.property(mutated, fc.array(fc.nat({ max: 200 }), { maxLength: 4 }), (text, cuts) => {
        const ends = [...cuts.filter((cut) => cut < text.length).toSorted((a, b) => a - b), text.length];
        let from = 0;
        const parts = ends.map((end) => {
          const part = text.slice(from, end);
          from = end;
          return part;
        });
        assert.deepEqual(read(parts), read([text]), JSON.stringify(parts));
      }),
      { numRuns: 5_000 },
    );
  });
});
