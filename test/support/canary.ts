/** Spellings under which a secret could leave: as it is, hex, base64 and base64url at each alignment, URL-encoded, JSON. */
const spellings = (secret: Uint8Array): readonly Buffer[] => {
  const bytes = Buffer.from(secret);
  const text = bytes.toString();
  const isText = Buffer.from(text).equals(bytes);
  const found: Buffer[] = [bytes, Buffer.from(bytes.toString("hex")), Buffer.from(bytes.toString("hex").toUpperCase())];
  for (const before of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(before), bytes]);
    // The characters at both ends depend on what stands beside the secret.
    const core = (coded: string): Buffer => Buffer.from(coded.replace(/=+$/, "").slice(before === 0 ? 0 : 4, -2));
    found.push(core(padded.toString("base64")), core(padded.toString("base64url")));
  }
  if (isText) {
    found.push(
      Buffer.from(encodeURIComponent(text)),
      Buffer.from(new URLSearchParams({ x: text }).toString().slice(2)),
    );
    found.push(Buffer.from(JSON.stringify(text).slice(1, -1)));
    found.push(Buffer.from(Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")));
  }
  return found;
};

export interface Canary {
  readonly name: string;
  readonly spellings: readonly Buffer[];
}

export const canary = (name: string, secret: string | Uint8Array): Canary => ({
  name,
  spellings: spellings(typeof secret === "string" ? Buffer.from(secret) : secret),
});

/** Everything that came out somewhere. */
export class Caught {
  readonly #pieces: { readonly where: string; readonly bytes: Buffer }[] = [];

  add(where: string, content: string | Uint8Array): void {
    this.#pieces.push({ where, bytes: Buffer.from(content as string) });
  }

  get size(): number {
    return this.#pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** @returns where which canary was found */
  find(...canaries: readonly Canary[]): string[] {
    return canaries.flatMap(({ name, spellings: ways }) =>
      this.#pieces
        .filter(({ bytes }) => ways.some((way) => bytes.includes(way)))
        .map(({ where, bytes }) => `${name} in ${where}: ${bytes.toString("latin1").slice(0, 300)}`),
    );
  }
}
