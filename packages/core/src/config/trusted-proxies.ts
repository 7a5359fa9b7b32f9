import { parseLine } from "../clients/parse-client.ts";
import { AigwError } from "../errors.ts";

/** An IP network; a single address has the prefix 32 or 128. */
export interface Network {
  /** Canonical: `10.0.0.0`, `2001:db8::`. */
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

/** Nobody is trusted. */
export const TRUST_NOBODY = "off";

/** RFC 1122 §3.2.1.3 and RFC 4291 §2.5.3; RFC 1918 and RFC 4193. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1"],
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

const ALLOWED =
  "use addresses and networks such as 10.0.0.7 or 10.0.0.0/8, or the words loopback and private, with commas between them; or off";

/**
 * Which proxies are believed: addresses, CIDRs and words, with commas or blanks between them; or `off`.
 * @returns the stored form: canonical, with commas. @throws AigwError `invalid_value`, naming the part
 */
export const parseTrustProxy = (value: string): string => {
  const parts = parseLine("trust-proxy", value, 4096).split(/[\s,]+/);
  return parts.map((part) => (part === TRUST_NOBODY && parts.length === 1 ? part : canonical(part))).join(",");
};

/** @param stored what {@link parseTrustProxy} returned */
export const trustedNetworks = (stored: string): readonly Network[] =>
  stored === TRUST_NOBODY
    ? []
    : stored
        .split(",")
        .flatMap((part) => WORDS[part] ?? [part])
        .flatMap((part) => parseNetwork(part) ?? []);

const canonical = (part: string): string => {
  if (Object.hasOwn(WORDS, part)) return part;
  const network = parseNetwork(part);
  if (network === undefined) throw new AigwError("invalid_value", `trust-proxy '${part}' is not valid: ${ALLOWED}.`);
  const { address, prefix, family } = network;
  if (prefix === 0) {
    throw new AigwError(
      "invalid_value",
      `trust-proxy '${part}' is not valid: it is everybody, and then everybody can say to be anybody. Name the proxies.`,
    );
  }
  return prefix === BITS[family] ? address : `${address}/${prefix}`;
};

const BITS = { ipv4: 32, ipv6: 128 } as const;

/** Four decimal numbers without leading zeros, which some read as octal. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

const parseNetwork = (text: string): Network | undefined => {
  const [, host = "", digits] = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (host.includes(":")) return parseIPv6(host, digits);
  return IPV4.test(host) ? network("ipv4", host, digits) : undefined;
};

/** The URL parser knows every spelling, and gives the canonical one (RFC 5952). */
const parseIPv6 = (host: string, digits: string | undefined): Network | undefined => {
  if (!URL.canParse(`http://[${host}]/`)) return undefined;
  const address = new URL(`http://[${host}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address);
  if (mapped === null) return network("ipv6", address, digits);
  // The same peers appear as IPv4 where an address is judged.
  const [high, low] = [Number.parseInt(mapped[1] ?? "", 16), Number.parseInt(mapped[2] ?? "", 16)];
  const inner = digits === undefined ? undefined : String(Number(digits) - 96);
  return network("ipv4", `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`, inner);
};

const network = (family: Network["family"], address: string, digits: string | undefined): Network | undefined => {
  const prefix = digits === undefined ? BITS[family] : Number(digits);
  return prefix >= 0 && prefix <= BITS[family] ? { address, prefix, family } : undefined;
};
