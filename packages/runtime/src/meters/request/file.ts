import { Flac } from "./flac.ts";
import { Mp3, mpegFrame } from "./mp3.ts";
import { Mp4 } from "./mp4.ts";
import { Ogg } from "./ogg.ts";
import { Pdf } from "./pdf.ts";
import type { FileReader } from "./walker.ts";
import { Wav } from "./wav.ts";

export type FileKind = "audio" | "pdf" | "image" | "other";

/** By these a file is told. */
const MARK = 12;

const IMAGE_BRANDS = /^(?:avi[fs]|hei[cfsx]|hev[cx]|mif1|msf1)$/;

/** A file of a kind that its first bytes tell, whatever its name and type say. */
export class AnyFile implements FileReader {
  #kind: FileKind = "other";
  #beginning: Buffer | undefined = Buffer.alloc(0);
  #reader: FileReader | undefined;

  get kind(): FileKind {
    return this.#kind;
  }

  get seconds(): number | undefined {
    return this.#reader?.seconds;
  }

  get pages(): number | undefined {
    return this.#reader?.pages;
  }

  feed(bytes: Buffer): void {
    if (this.#beginning === undefined) {
      this.#reader?.feed(bytes);
      return;
    }
    const all = this.#beginning.length === 0 ? bytes : Buffer.concat([this.#beginning, bytes]);
    if (all.length < MARK) {
      this.#beginning = Buffer.from(all);
      return;
    }
    this.#beginning = undefined;
    [this.#kind, this.#reader] = readerOf(all);
    this.#reader?.feed(all);
  }

  end(): void {
    this.#reader?.end();
  }
}

const readerOf = (bytes: Buffer): [FileKind, FileReader?] => {
  const text = bytes.toString("latin1", 0, MARK);
  if (/^(?:RIFF|RF64).{4}WAVE/s.test(text)) return ["audio", new Wav()];
  if (text.startsWith("fLaC")) return ["audio", new Flac()];
  if (text.startsWith("OggS")) return ["audio", new Ogg()];
  if (text.startsWith("ID3")) return ["audio", new Mp3()];
  if (text.slice(4, 8) === "ftyp") return IMAGE_BRANDS.test(text.slice(8, 12)) ? ["image"] : ["audio", new Mp4()];
  if (text.startsWith("%PDF-")) return ["pdf", new Pdf()];
  if (/^(?:\x89PNG|\xff\xd8\xff|GIF8|BM|II\*\0|MM\0\*|RIFF.{4}WEBP)/s.test(text)) return ["image"];
  return mpegFrame(bytes, 0) === undefined ? ["other"] : ["audio", new Mp3()];
};
