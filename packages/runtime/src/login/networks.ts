/**
 * The networks that a source belongs to, the widest first and the source itself last: an IPv4 /16 and /24, an IPv6 /48
 * and /56. Whoever has many addresses has them mostly in few of these (RFC 6177: a site gets a /48 to a /56).
 * @param source as `Callers.sourceOf` says it
 */
export const networksOf = (source: string): readonly string[] => {
  if (!source.includes(":")) {
    const [a = "", b = "", c = ""] = source.split(".");
    return [`${a}.${b}/16`, `${a}.${b}.${c}/24`, source];
  }
  const [a = "", b = "", c = "", d = ""] = source.split(":");
  const subnet = Number.parseInt(d, 16) >> 8;
  return [`${a}:${b}:${c}/48`, `${a}:${b}:${c}:${subnet.toString(16)}/56`, source];
};
