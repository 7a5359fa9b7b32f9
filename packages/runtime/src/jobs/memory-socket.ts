import { Duplex } from "node:stream";

/**
 * One end of a connection in memory. As over a socket, what is written is the other's own: whoever writes may give its
 * memory back as soon as it is told that it was taken (passed-on.ts), so Node's `duplexPair`, which hands the same bytes
 * over, would lose them.
 */
export class MemorySocket extends Duplex {
  #peer!: MemorySocket;
  /** Of the peer's write that this end has not asked to go on from. */
  #taken: (() => void) | undefined;

  static pair(): readonly [MemorySocket, MemorySocket] {
    const [one, other] = [new MemorySocket(), new MemorySocket()];
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  override _read(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, taken: () => void): void {
    if (chunk.length === 0) {
      process.nextTick(taken);
      return;
    }
    this.#peer.#taken = taken;
    this.#peer.push(Buffer.from(chunk));
  }

  override _final(done: () => void): void {
    this.#peer.once("end", done);
    this.#peer.push(null);
  }
}
