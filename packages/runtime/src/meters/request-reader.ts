import { toMillionths } from "@aigw/core/meters";
import { isJsonType, mediaTypeOf } from "../media-type.ts";
import { parameterOf } from "./content-kind.ts";
import { ANY, JsonPaths, type Path } from "./json-paths.ts";
import { JsonScanner } from "./json-scanner.ts";
import { BAD } from "./json-tokens.ts";
import type { Source } from "./meter-plan.ts";
import { AnyFile, type FileKind } from "./request/file.ts";
import { Multipart } from "./request/multipart.ts";

/** Files of one request that are looked at. */
const MAX_FILES = 64;

type RequestSource = Extract<Source, { kind: "request" }>;

/** Where a JSON request has its images: OpenAI's chat and responses, Anthropic's messages, Ollama's lists of them. */
const IMAGES: readonly Path[] = [
  ["messages", ANY, "content", ANY, "image_url"],
  ["input", ANY, "content", ANY, "image_url"],
  ["messages", ANY, "images"],
  ["images"],
];

/** Reads what a request asks for, on its way to the service: files as such or in a form, or JSON. */
export class RequestReader {
  readonly #sources: readonly RequestSource[];
  readonly #slots = new Map<string, number>();
  readonly #images: readonly number[];
  readonly #scanner: JsonScanner;
  readonly #files: AnyFile[] = [];
  #json = false;
  #multipart: Multipart | undefined;
  #tooMany = false;
  #isWhole = false;
  #isBroken = false;

  constructor(sources: readonly Source[]) {
    this.#sources = sources.filter((source) => source.kind === "request");
    const paths = new JsonPaths();
    for (const { unit, source } of this.#sources)
      if (typeof source !== "string") this.#slots.set(unit, paths.add(source.pointer, "number"));
    this.#images = this.#reads("images") ? IMAGES.map((path) => paths.add(path, "count")) : [];
    this.#scanner = new JsonScanner(paths.compile(), paths.numbers, paths.texts);
  }

  start(fields: readonly string[]): void {
    let type = "";
    let coding = "";
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = (fields[i] as string).toLowerCase();
      if (name === "content-type") type = fields[i + 1] as string;
      else if (name === "content-encoding") coding = (fields[i + 1] as string).trim().toLowerCase();
    }
    if (coding !== "" && coding !== "identity") return;
    const media = mediaTypeOf(type);
    if (isJsonType(media)) this.#json = this.#slots.size > 0 || this.#images.length > 0;
    else if (!this.#reads("audio") && !this.#reads("pdf") && !this.#reads("images")) return;
    else if (media === "multipart/form-data") {
      const boundary = parameterOf(type, "boundary");
      if (boundary !== undefined) this.#multipart = new Multipart(boundary, () => this.#open());
    } else this.#open();
  }

  feed(bytes: Buffer): void {
    if (this.#json) this.#scanner.feed(bytes, 0, bytes.length);
    else if (!this.#isBroken) this.#guarded(() => (this.#multipart ?? this.#files[0])?.feed(bytes));
  }

  /** The request's content is complete. */
  end(): void {
    if (this.#json) this.#isWhole = this.#scanner.end();
    else if (!this.#isBroken) this.#guarded(() => this.#endFiles());
  }

  /**
   * Files are in a dozen formats and a client's to write: what nobody has thought of costs the reading. Thrown into the
   * server's own listener it would end the process, and with it everybody's calls.
   */
  #guarded(what: () => void): void {
    try {
      what();
    } catch {
      this.#isBroken = true;
    }
  }

  #endFiles(): void {
    if (this.#multipart !== undefined) {
      this.#multipart.end();
      this.#isWhole = this.#multipart.isWhole && !this.#tooMany;
    } else {
      this.#files[0]?.end();
      this.#isWhole = true;
    }
  }

  /** @returns millionths, BAD, or NaN when the request does not say */
  valueOf({ unit, source }: RequestSource): number {
    if (!this.#isWhole) return Number.NaN;
    if (typeof source !== "string") {
      const value = this.#json ? (this.#scanner.found.values[this.#slots.get(unit) ?? 0] as number) : Number.NaN;
      return value >= 0 ? (toMillionths(value) ?? BAD) : value;
    }
    switch (source) {
      case "audio":
        return this.#sum("audio", ({ seconds }) => seconds);
      case "pdf":
        return this.#sum("pdf", ({ pages }) => pages);
      case "images":
        return this.#json ? this.#imagesInJson() : this.#sum("image", () => 1);
    }
  }

  /** It was there to be read, and could not be. */
  get isUnread(): boolean {
    return !this.#isWhole || this.#files.length > 0;
  }

  reset(): void {
    this.#scanner.forget();
    this.#files.length = 0;
    this.#json = false;
    this.#multipart = undefined;
    this.#tooMany = false;
    this.#isWhole = false;
    this.#isBroken = false;
  }

  #reads(wanted: RequestSource["source"]): boolean {
    return this.#sources.some(({ source }) => source === wanted);
  }

  #open(): AnyFile {
    const file = new AnyFile();
    if (this.#files.length < MAX_FILES) this.#files.push(file);
    else this.#tooMany = true;
    return file;
  }

  /** Of several files, all or none: a sum with a hole would be a guess. */
  #sum(kind: FileKind, of: (file: AnyFile) => number | undefined): number {
    const values = this.#files.filter((file) => file.kind === kind).map(of);
    if (values.length === 0 || values.includes(undefined)) return Number.NaN;
    return toMillionths(values.reduce((sum: number, value) => sum + (value ?? 0), 0)) ?? BAD;
  }

  #imagesInJson(): number {
    const counts = this.#images.map((slot) => this.#scanner.found.values[slot] as number).filter((count) => count > 0);
    if (counts.length === 0) return Number.NaN;
    return toMillionths(counts.reduce((sum, count) => sum + count, 0)) ?? BAD;
  }
}
