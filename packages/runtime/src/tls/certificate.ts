import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { SecureContextOptions } from "node:tls";
import { AigwError } from "@aigw/core/errors";
import { nodeTls } from "../node-http.ts";

/** PEM files. */
export interface CertificateFiles {
  /** The server's certificate first, then its intermediates. */
  readonly cert: string;
  /** Its private key, without a passphrase. */
  readonly key: string;
}

export interface Certificate {
  /** For `https.createServer` and `setSecureContext`. */
  readonly context: SecureContextOptions;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/**
 * Reads a certificate and its key, and proves that they belong together and can be used.
 * @throws AigwError `failed`, whose message names the file; never the key
 */
export const readCertificate = async (files: CertificateFiles): Promise<Certificate> => {
  const cert = await readPem("certificate", files.cert, "--tls-cert");
  const key = await readPem("private key", files.key, "--tls-key");
  const leaf = parseCertificate(files.cert, cert);
  if (!leaf.checkPrivateKey(parseKey(files.key, key))) {
    throw new AigwError(
      "failed",
      `The private key ${files.key} does not belong to the first certificate in ${files.cert}. Give a pair; the server's own certificate comes first in its file.`,
    );
  }
  const context: SecureContextOptions = { cert, key, minVersion: "TLSv1.2" };
  try {
    nodeTls().createSecureContext(context);
  } catch (error) {
    throw unusable("certificate", files.cert, error);
  }
  return { context, expiresAt: Date.parse(leaf.validTo) };
};

const readPem = async (what: string, path: string, flag: string): Promise<string> => {
  const text = await readFile(path, "latin1").catch((error: NodeJS.ErrnoException) => {
    const reason = REASONS[error.code ?? ""] ?? `it cannot be read (${error.code ?? "unknown reason"})`;
    throw new AigwError("failed", `The TLS ${what} ${path}: ${reason}. Give a PEM file with ${flag}.`, {
      cause: error,
    });
  });
  // OpenSSL takes what precedes a block that was cut short: a chain that is still being written would lack its end.
  const begun = text.match(/^-----BEGIN /gm)?.length ?? 0;
  if (begun > 0 && begun === (text.match(/^-----END /gm)?.length ?? 0)) return text;
  throw new AigwError("failed", `The TLS ${what} ${path} is not a complete PEM file. Give another with ${flag}.`);
};

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user may not read it",
  EISDIR: "it is a folder",
};

const parseCertificate = (path: string, pem: string): X509Certificate => {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw unusable("certificate", path, error);
  }
};

const parseKey = (path: string, pem: string): KeyObject => {
  if (/^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    throw new AigwError("failed", `The TLS private key ${path} has a passphrase. Give one without: openssl pkey -in …`);
  }
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw unusable("private key", path, error);
  }
};

const unusable = (what: string, path: string, cause: unknown): AigwError =>
  new AigwError("failed", `The TLS ${what} ${path} cannot be used: it is not a ${what} that OpenSSL reads.`, { cause });
