/**
 * Where a fault lies:
 * - `unreachable`: there was no connection, or it ended before an answer
 * - `untrusted`: the service's certificate is not accepted
 * - `invalid`: what came is not valid HTTP/1.1
 * - `late`: the answer did not begin in time
 * - `broken`: the answer had begun, and did not come to its end
 * - `down`: none of its targets takes calls, so none was asked
 * - `gateway`: the service has nothing to do with it
 */
export type FaultKind = "unreachable" | "untrusted" | "invalid" | "late" | "broken" | "down" | "gateway";

/**
 * Everything that can come between a call and the whole of its answer. Closed, and the codes are stable: they stand in
 * usage events and in the log.
 */
export type Fault =
  | "refused"
  | "name_not_found"
  | "name_lookup_failed"
  | "no_route"
  | "forbidden"
  | "connect_timeout"
  | "reset"
  | "closed"
  | "kept_connection_closed"
  | "connection_failed"
  | "certificate_expired"
  | "certificate_not_yet_valid"
  | "certificate_self_signed"
  | "certificate_unknown_authority"
  | "certificate_wrong_name"
  | "certificate_unacceptable"
  | "certificate_wanted"
  | "tls_failed"
  | "tls_closed"
  | "tls_timeout"
  | "not_tls"
  | "speaks_tls"
  | "http2_only"
  | "not_http"
  | "leftover_bytes"
  | "bad_status_line"
  | "head_too_large"
  | "head_cut_short"
  | "bare_line_feed"
  | "folded_line"
  | "control_character"
  | "bad_field"
  | "two_lengths"
  | "bad_length"
  | "length_and_coding"
  | "bad_coding"
  | "switched_protocols"
  | "bad_chunk"
  | "bad_trailer"
  | "answer_timeout"
  | "upload_stalled"
  | "answer_stalled"
  | "too_few_bytes"
  | "no_last_chunk"
  | "no_target"
  | "out_of_files"
  | "out_of_ports"
  | "out_of_memory";

export interface FaultWords {
  readonly kind: FaultKind;
  /** A clause whose "it" is the service. */
  readonly what: string;
  /** A sentence for the admin. */
  readonly remedy: string;
}

const MEND = "Mend the service, or put a proxy in front of it that writes valid HTTP/1.1.";

/** docs/errors.md is checked against this table. */
export const FAULTS: Readonly<Record<Fault, FaultWords>> = {
  refused: {
    kind: "unreachable",
    what: "its host refused the connection, so nothing listens on that port",
    remedy: "Start the service, or correct the port of its URL.",
  },
  name_not_found: {
    kind: "unreachable",
    what: "there is no host of the name in its URL",
    remedy: "Correct the URL, or make the name known where the gateway runs (DNS, /etc/hosts).",
  },
  name_lookup_failed: {
    kind: "unreachable",
    what: "the name of its host could not be looked up, because no name server answered",
    remedy: "Look at the name servers of the gateway's machine (/etc/resolv.conf).",
  },
  no_route: {
    kind: "unreachable",
    what: "there is no way to its host from the gateway's machine",
    remedy: "Look whether the host is up, and at the routes and firewalls between the two.",
  },
  forbidden: {
    kind: "unreachable",
    what: "the gateway's own machine forbids the connection",
    remedy: "Look at the rules there: firewall, SELinux, IPAddressDeny of systemd.",
  },
  connect_timeout: {
    kind: "unreachable",
    what: "its host did not take the connection in time",
    remedy: "Look whether the host is up, and whether a firewall drops packets to this port.",
  },
  reset: {
    kind: "unreachable",
    what: "it reset the connection",
    remedy: "Its own log knows why: it crashed, was restarted, or has a bound of its own.",
  },
  closed: {
    kind: "unreachable",
    what: "it closed the connection without an answer",
    remedy: "Its own log knows why; if it wants TLS, its URL begins with https://.",
  },
  kept_connection_closed: {
    kind: "unreachable",
    what: "it closed a kept connection while the call was on its way, and the call may not be sent twice",
    remedy: "Let the service keep idle connections for longer than 5 s (its keep-alive timeout).",
  },
  connection_failed: {
    kind: "unreachable",
    what: "the connection failed for a reason that has no name here",
    remedy: "The gateway's log has the system's code for it.",
  },
  certificate_expired: {
    kind: "untrusted",
    what: "its certificate has expired",
    remedy: "Renew the service's certificate.",
  },
  certificate_not_yet_valid: {
    kind: "untrusted",
    what: "its certificate is not valid yet",
    remedy: "Compare the clocks of both machines, or wait for the certificate's first day.",
  },
  certificate_self_signed: {
    kind: "untrusted",
    what: "its certificate is self-signed, and nobody vouches for it",
    remedy: "Trust it (aigw service set <name> --ca <the certificate's file>), or give it one of a known authority.",
  },
  certificate_unknown_authority: {
    kind: "untrusted",
    what: "its certificate is of an authority that is not known here, or one between the two is missing",
    remedy: "Trust its authority (aigw service set <name> --ca <file>), or let the service send the whole chain.",
  },
  certificate_wrong_name: {
    kind: "untrusted",
    what: "its certificate is for another name than the one in its URL or --server-name",
    remedy: "Say which name it holds (aigw service set <name> --server-name <host>), or have it issued for this one.",
  },
  certificate_unacceptable: {
    kind: "untrusted",
    what: "its certificate is not acceptable (wrong purpose, signature or key, or revoked)",
    remedy: "Have it issued anew, for a TLS server; the gateway's log has OpenSSL's code for it.",
  },
  certificate_wanted: {
    kind: "unreachable",
    what: "it wants a certificate of its caller, and the gateway has none, or not one that it takes",
    remedy: "Give the gateway one: aigw service set <name> --client-cert <file> --client-key <file>.",
  },
  tls_failed: {
    kind: "unreachable",
    what: "the TLS handshake failed (no version or cipher in common, a name it does not know, or a certificate wanted)",
    remedy: "Let the service offer TLS 1.2 or later under this name; the gateway's log has OpenSSL's code for it.",
  },
  tls_closed: {
    kind: "unreachable",
    what: "it closed the connection within the TLS handshake",
    remedy: "Its own log knows why; if it speaks no TLS, its URL begins with http://.",
  },
  tls_timeout: {
    kind: "unreachable",
    what: "it took the connection, but the TLS handshake came to no end",
    remedy: "Look whether this port speaks TLS: if not, its URL begins with http://.",
  },
  not_tls: {
    kind: "unreachable",
    what: "it does not speak TLS, though its URL begins with https://",
    remedy: "Let its URL begin with http://, or switch TLS on at the service.",
  },
  speaks_tls: {
    kind: "invalid",
    what: "it speaks TLS, though its URL begins with http://",
    remedy: "Let its URL begin with https://.",
  },
  http2_only: {
    kind: "invalid",
    what: "it speaks HTTP/2 and not HTTP/1.1",
    remedy: "Let the service take HTTP/1.1 as well, or put a proxy in front of it that does.",
  },
  not_http: {
    kind: "invalid",
    what: "it does not speak HTTP",
    remedy: "Correct the port of its URL: something else listens there.",
  },
  leftover_bytes: {
    kind: "invalid",
    what: "what came was the rest of an earlier answer, longer than its length said",
    remedy: "Mend the service: Content-Length counts bytes, and answers to HEAD, 204 and 304 have no content.",
  },
  bad_status_line: {
    kind: "invalid",
    what: "the status line of its answer is not valid",
    remedy: MEND,
  },
  head_too_large: {
    kind: "invalid",
    what: "the head of its answer is larger than the gateway takes (16 KiB, unless --max-head says otherwise)",
    remedy: "Let the service send fewer or shorter fields (cookies, most often), or raise the bound (--max-head).",
  },
  head_cut_short: {
    kind: "invalid",
    what: "it closed the connection within the head of its answer",
    remedy: "Its own log knows why: it crashed, was restarted, or has a bound of its own.",
  },
  bare_line_feed: {
    kind: "invalid",
    what: "a line of its answer's head does not end with both CR and LF",
    remedy: MEND,
  },
  folded_line: {
    kind: "invalid",
    what: "a field of its answer goes on in a second line",
    remedy: MEND,
  },
  control_character: {
    kind: "invalid",
    what: "the head of its answer holds a control character",
    remedy: MEND,
  },
  bad_field: {
    kind: "invalid",
    what: "a field of its answer has no colon, or a name that is not valid",
    remedy: MEND,
  },
  two_lengths: {
    kind: "invalid",
    what: "its answer has Content-Length more than once",
    remedy: MEND,
  },
  bad_length: {
    kind: "invalid",
    what: "the Content-Length of its answer is not a number of bytes",
    remedy: MEND,
  },
  length_and_coding: {
    kind: "invalid",
    what: "its answer has both Content-Length and Transfer-Encoding",
    remedy: MEND,
  },
  bad_coding: {
    kind: "invalid",
    what: "its answer has a Transfer-Encoding other than one chunked, or has one in HTTP/1.0",
    remedy: MEND,
  },
  switched_protocols: {
    kind: "invalid",
    what: "it answered 101 and switched to a protocol that nobody had asked for, or without the answer to the WebSocket's handshake",
    remedy: MEND,
  },
  bad_chunk: {
    kind: "invalid",
    what: "a chunk of its answer is not valid",
    remedy: MEND,
  },
  bad_trailer: {
    kind: "invalid",
    what: "a field behind its answer's last chunk is not valid",
    remedy: MEND,
  },
  answer_timeout: {
    kind: "late",
    what: "its answer did not begin within its timeout",
    remedy: "Let it have more time (--timeout), or find out what keeps it.",
  },
  upload_stalled: {
    kind: "late",
    what: "it did not read the rest of the request within its idle timeout",
    remedy: "Find out what keeps it, or let it have more time (--idle-timeout).",
  },
  answer_stalled: {
    kind: "broken",
    what: "no more of its answer came within its idle timeout",
    remedy: "Find out what keeps it, or let it have more time (--idle-timeout).",
  },
  too_few_bytes: {
    kind: "broken",
    what: "it closed the connection with fewer bytes sent than its Content-Length says",
    remedy: "Its own log knows why: it crashed, was restarted, or counts its length wrongly.",
  },
  no_last_chunk: {
    kind: "broken",
    what: "it closed the connection before the last chunk",
    remedy: "Its own log knows why: it crashed, was restarted, or has a bound of its own.",
  },
  no_target: {
    kind: "down",
    what: "all of its targets are down, so that it was not called",
    remedy: "See which and since when: aigw service list. The gateway's log has why each went down.",
  },
  out_of_files: {
    kind: "gateway",
    what: "the gateway had no file descriptor left for another connection",
    remedy: "Raise its limit of open files (systemd: LimitNOFILE=65536; a shell: ulimit -n 65536) and start it again.",
  },
  out_of_ports: {
    kind: "gateway",
    what: "the gateway's machine had no local port or address left for another connection",
    remedy: "Widen net.ipv4.ip_local_port_range there, or let the service keep connections alive.",
  },
  out_of_memory: {
    kind: "gateway",
    what: "the gateway's machine had no memory left for another connection",
    remedy: "Give the machine more memory, or look at what takes it up.",
  },
};

/** @param code as it stands in a usage event; one of a later version is not known. */
export const faultWords = (code: string): FaultWords | undefined =>
  Object.hasOwn(FAULTS, code) ? FAULTS[code as Fault] : undefined;
