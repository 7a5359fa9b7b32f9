import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { closeFrame, FrameTracker } from "../src/proxy/websocket/frames.ts";

const LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];

const frame = (opcode: number, length: number, masked: boolean): Buffer => {
  const mask = masked ? 0x80 : 0;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = mask | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (length >= 65_536) head.writeBigUInt64BE(BigInt(length), 2);
  else if (length >= 126) head.writeUInt16BE(length, 2);
  // Bytes that would be headers of Close frames to whoever took them for some.
  return Buffer.concat([head, Buffer.alloc((masked ? 4 : 0) + length, 0x88)]);
};

describe("where frames end", () => {
  for (const masked of [true, false]) {
    it(`is known after every byte, ${masked ? "masked" : "unmasked"}`, () => {
      for (const length of LENGTHS) {
        const tracker = new FrameTracker();
        const bytes = frame(2, length, masked);
        for (let at = 0; at < bytes.length; at += 1) {
          assert.equal(tracker.isBetween, at === 0, `${at} of a frame of ${length}`);
          tracker.read(bytes.subarray(at, at + 1));
        }
        assert.equal(tracker.isBetween, true, `a frame of ${length}`);
        assert.equal(tracker.closed, false);
      }
    });
  }

  it("is known however the frames are cut into pieces", () => {
    const all = Buffer.concat(LENGTHS.flatMap((length) => [frame(1, length, true), frame(9, length % 126, true)]));
    for (const size of [1, 2, 3, 7, 64, 4_096, 65_536, all.length]) {
      const tracker = new FrameTracker();
      for (let at = 0; at < all.length; at += size) tracker.read(all.subarray(at, at + size));
      assert.equal(tracker.isBetween, true, `${size} bytes at a time`);
      assert.equal(tracker.closed, false);
      tracker.read(all.subarray(0, 1));
      assert.equal(tracker.isBetween, false);
    }
  });

  it("and that a Close frame was among them", () => {
    for (const masked of [true, false]) {
      const tracker = new FrameTracker();
      const close = closeFrame(1001, "going away", masked);
      tracker.read(Buffer.concat([frame(2, 300, masked), close]));
      assert.deepEqual([tracker.isBetween, tracker.closed], [true, true]);
      assert.equal(close[0], 0x88);
      assert.equal(close[1], (masked ? 0x80 : 0) | 12);
      const payload = close.subarray(masked ? 6 : 2);
      const mask = masked ? close.subarray(2, 6) : Buffer.alloc(4);
      const text = payload.map((byte, at) => byte ^ (mask[at % 4] as number));
      assert.equal(Buffer.from(text).toString("latin1"), "\x03\xe9going away");
    }
  });
});
