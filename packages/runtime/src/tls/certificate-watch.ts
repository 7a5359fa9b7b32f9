import { stat } from "node:fs/promises";
import { type Certificate, type CertificateFiles, readCertificate } from "./certificate.ts";

/** Polled, because file events do not come from every file system, nor for a link that is turned to another folder. */
const POLL_MS = 1_000;

export interface CertificateWatchOptions {
  readonly files: CertificateFiles;
  /** New connections are to get this one. */
  readonly onRenewed: (certificate: Certificate) => void;
  /** The files have changed, but cannot be used as they are; the old certificate stays. Once for each state of them. */
  readonly onFault: (error: unknown) => void;
}

/** Follows the certificate's files, so that a renewal needs no restart. A pair that does not fit is never served. */
export class CertificateWatch {
  readonly #options: CertificateWatchOptions;
  #current: Certificate;
  /** The state of the files that is served. */
  #served: string;
  #faulty: string | undefined;
  #checking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: CertificateWatchOptions, current: Certificate, served: string) {
    this.#options = options;
    this.#current = current;
    this.#served = served;
  }

  /** @throws AigwError `failed` when the files cannot be used */
  static async open(options: CertificateWatchOptions): Promise<CertificateWatch> {
    const before = await stateOf(options.files);
    return new CertificateWatch(options, await readCertificate(options.files), before);
  }

  get current(): Certificate {
    return this.#current;
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), POLL_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Looks at the files now. Never fails. */
  check(): Promise<void> {
    this.#checking ??= this.#follow().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #follow(): Promise<void> {
    const state = await stateOf(this.#options.files);
    if (state === this.#served) return;
    try {
      const certificate = await readCertificate(this.#options.files);
      // Written to while it was read: the next look finds it finished.
      if ((await stateOf(this.#options.files)) !== state) return;
      this.#options.onRenewed(certificate);
      this.#current = certificate;
      this.#served = state;
      this.#faulty = undefined;
    } catch (error) {
      if (this.#faulty !== state) this.#options.onFault(error);
      this.#faulty = state;
    }
  }
}

/** Changes whenever one of the files is written or replaced. */
const stateOf = async ({ cert, key }: CertificateFiles): Promise<string> => {
  const states = await Promise.all(
    [cert, key].map((path) =>
      stat(path).then(
        ({ ino, size, mtimeMs }) => `${ino}:${size}:${mtimeMs}`,
        (error: NodeJS.ErrnoException) => `${error.code}`,
      ),
    ),
  );
  return states.join(" ");
};
