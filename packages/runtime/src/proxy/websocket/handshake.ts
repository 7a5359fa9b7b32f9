import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { ResponseHead } from "../upstream/response-head.ts";

/** Under `/api/`, in origin or absolute form. */
const API_TARGET = /^(?:https?:\/\/[^/?#]*)?\/api\//i;
/** 16 bytes in base64 (RFC 6455 §4.1). */
const KEY = /^[A-Za-z0-9+/]{22}==$/;
const VERSION = /^\d{1,3}$/;
/** RFC 6455 §1.3 */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** What a browser puts before its token, because it can send no other field with a handshake. */
const TOKEN_PROTOCOL = "bearer.";

/** Whether it asks for a service's WebSocket (RFC 6455 §4.2.1): of all upgrades, the one that is taken up. */
export const isHandshake = ({ method, url = "", httpVersion, headers }: IncomingMessage): boolean =>
  method === "GET" &&
  httpVersion === "1.1" &&
  headers["transfer-encoding"] === undefined &&
  (headers["content-length"] ?? "0") === "0" &&
  listOf(headers.upgrade).some((protocol) => protocol.toLowerCase() === "websocket") &&
  KEY.test(headers["sec-websocket-key"] ?? "") &&
  VERSION.test(headers["sec-websocket-version"] ?? "") &&
  API_TARGET.test(url);

/** Whether it is one that Node has handed over, and its answer may switch. */
export const isUpgrade = (incoming: IncomingMessage & { readonly upgrade?: boolean }): boolean =>
  incoming.upgrade === true;

/**
 * Takes the subprotocol `bearer.<token>` out of what the service will see, and puts the token where tokens are looked
 * for; one in `Authorization` comes first.
 */
export const takeTokenOut = (incoming: IncomingMessage): void => {
  const protocol = tokenProtocol(incoming);
  if (protocol === undefined) return;
  incoming.headers.authorization ??= `Bearer ${protocol.slice(TOKEN_PROTOCOL.length)}`;
  const raw: string[] = [];
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
    const name = incoming.rawHeaders[i] as string;
    let value = incoming.rawHeaders[i + 1] as string;
    if (name.toLowerCase() === "sec-websocket-protocol") {
      value = listOf(value)
        .filter((offered) => !offered.startsWith(TOKEN_PROTOCOL))
        .join(", ");
      if (value === "") continue;
    }
    raw.push(name, value);
  }
  incoming.rawHeaders = raw;
};

/** The subprotocol with the token, as the client offered it. */
const tokenProtocol = ({ headers }: IncomingMessage): string | undefined =>
  listOf(headers["sec-websocket-protocol"]).find((offered) => offered.startsWith(TOKEN_PROTOCOL));

/** Whether a 101 is an answer to this handshake, and nothing else (RFC 6455 §4.1). */
export const accepts = ({ headers }: IncomingMessage, { fields, minor }: ResponseHead): boolean => {
  const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}${GUID}`).digest("base64");
  const connection = listOf(valuesOf(fields, "connection").join(","));
  return (
    minor === 1 &&
    valuesOf(fields, "sec-websocket-accept").join() === accept &&
    valuesOf(fields, "upgrade").join().toLowerCase() === "websocket" &&
    connection.some((option) => option.toLowerCase() === "upgrade")
  );
};

/**
 * What has to stand in a 101 besides what the service says. Where it chose no subprotocol, the one with the token is
 * chosen in its place: a browser breaks off when it offered some and none was taken.
 */
export const switchFields = (incoming: IncomingMessage, { fields }: ResponseHead): readonly string[] => {
  const own = ["Connection", "Upgrade", "Upgrade", "websocket"];
  const protocol = tokenProtocol(incoming);
  if (protocol === undefined || valuesOf(fields, "sec-websocket-protocol").length > 0) return own;
  return [...own, "Sec-WebSocket-Protocol", protocol];
};

const listOf = (value: string | undefined): readonly string[] =>
  value === undefined
    ? []
    : value
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== "");

/** @param fields name, value, name, value … */
const valuesOf = (fields: readonly string[], name: string): readonly string[] =>
  fields.filter((_, index) => index % 2 === 1 && fields[index - 1]?.toLowerCase() === name);
