import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** DER: tag, length, content. */
const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const prefix = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...prefix]), content]);
};

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const set = (...parts: readonly Uint8Array[]): Buffer => der(0x31, ...parts);
const integer = (bytes: Uint8Array): Buffer => der(0x02, bytes);
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));
const octets = (content: Uint8Array): Buffer => der(0x04, content);
const bits = (content: Uint8Array): Buffer => der(0x03, Buffer.from([0]), content);

const ECDSA_WITH_SHA256 = sequence(oid("2a8648ce3d040302"));
const COMMON_NAME = oid("550403");
const SUBJECT_ALT_NAME = oid("551d11");
const BASIC_CONSTRAINTS = oid("551d13");
const TRUE = der(0x01, Buffer.from([0xff]));

const utcTime = (at: number): Buffer =>
  der(
    0x17,
    Buffer.from(
      `${new Date(at)
        .toISOString()
        .replace(/[-:T]|\.\d+/g, "")
        .slice(2, 14)}Z`,
    ),
  );

const pem = (label: string, content: Buffer): string =>
  `-----BEGIN ${label}-----\n${content.toString("base64").replace(/.{64}/g, "$&\n").trimEnd()}\n-----END ${label}-----\n`;

export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateFacts {
  /** Beside 127.0.0.1. */
  readonly host?: string;
  readonly endsInDays?: number;
}

/** Who signs certificates. */
export interface Authority extends CertificatePair {
  readonly commonName: string;
}

/**
 * A self-signed certificate for 127.0.0.1 and a host (RFC 5280): made here, because neither Node nor every machine
 * has a program for it, and a key in the repository would look like a leak.
 */
export const selfSigned = (commonName: string, facts: CertificateFacts = {}): CertificatePair =>
  made(commonName, undefined, subjectAltNames(facts), facts.endsInDays);

export const certificateAuthority = (commonName: string): Authority => ({
  commonName,
  ...made(commonName, undefined, sequence(BASIC_CONSTRAINTS, octets(sequence(TRUE)))),
});

/** As {@link selfSigned}, but signed by an authority. */
export const signedBy = (authority: Authority, commonName: string, facts: CertificateFacts = {}): CertificatePair =>
  made(commonName, authority, subjectAltNames(facts), facts.endsInDays);

const subjectAltNames = ({ host = "localhost" }: CertificateFacts): Buffer => {
  const names = sequence(der(0x82, Buffer.from(host)), der(0x87, Buffer.from([127, 0, 0, 1])));
  return sequence(SUBJECT_ALT_NAME, octets(names));
};

const nameOf = (commonName: string): Buffer => sequence(set(sequence(COMMON_NAME, der(0x0c, Buffer.from(commonName)))));

const made = (
  commonName: string,
  authority: Authority | undefined,
  extension: Buffer,
  endsInDays = 30,
): CertificatePair => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const day = 86_400_000;
  const body = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    nameOf(authority?.commonName ?? commonName),
    sequence(utcTime(Date.now() - 90 * day), utcTime(Date.now() + endsInDays * day)),
    nameOf(commonName),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(extension)),
  );
  const key = authority === undefined ? privateKey : createPrivateKey(authority.key);
  const signed = sequence(body, ECDSA_WITH_SHA256, bits(sign("sha256", body, key)));
  return {
    cert: pem("CERTIFICATE", signed),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
};
