import { isIP, isIPv6, type Socket, SocketAddress } from "node:net";

/** @returns the other end's address; undefined when it has left and nobody had asked before */
export const peerAddress = ({ remoteAddress }: Socket): string | undefined =>
  remoteAddress === undefined ? undefined : plain(remoteAddress);

/** IPv4 peers of a dual-stack listener appear as `::ffff:192.0.2.1`. */
const plain = (address: string): string => (address.startsWith("::ffff:") ? address.slice(7) : withoutZone(address));

/** `fe80::1%eth0`: the interface is that of whoever wrote it. */
const withoutZone = (address: string): string => {
  const zone = address.indexOf("%");
  return zone === -1 ? address : address.slice(0, zone);
};

/**
 * Reads a node as proxies write it (RFC 7239 §6, and the same without brackets): `192.0.2.1`, `192.0.2.1:4711`,
 * `2001:DB8::1`, `[2001:db8::1]:4711`.
 * @returns the address in its canonical form; undefined for anything else, such as `unknown`, `_hidden` or a name
 */
export const addressOfNode = (node: string): string | undefined => {
  const [, inBrackets, ipv4] = NODE.exec(node) ?? [];
  const address = inBrackets ?? ipv4 ?? node;
  switch (isIP(address)) {
    case 4:
      return address;
    case 6:
      return plain(new SocketAddress({ address: withoutZone(address), family: "ipv6" }).address);
    default:
      return undefined;
  }
};

const NODE = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15}))(?::(?:\d{1,5}|_[\w.-]+))?$/;

/** One IPv6 subscriber has a whole /64 to send from (RFC 6177), so that is the source of an attempt. */
export const sourceOfAddress = (address: string): string => {
  if (!isIPv6(address)) return address;
  const [head = "", tail = ""] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === "" ? [] : tail.split(":");
  const zeros = Math.max(0, 8 - left.length - right.length);
  return `${[...left, ...Array<string>(zeros).fill("0"), ...right].slice(0, 4).join(":")}::/64`;
};
