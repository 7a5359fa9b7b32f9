import {
  MongoAPIError,
  MongoDriverError,
  MongoError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoServerError,
  MongoServerSelectionError,
} from "mongodb";
import { AigwError, type ErrorCode } from "../../errors.ts";
import { inTime, isSilence } from "../in-time.ts";

/** How long one command may take, retries of the driver included, milliseconds. */
export const COMMAND_PATIENCE_MS = 5_000;

/**
 * Runs one command, or a few that belong together, for so long at most. What the driver throws becomes aigw's error
 * here, once; anything else passes unchanged. After an error of a write it is not known whether it was written.
 * @throws AigwError `store_*`; its message holds no part of the URL but hosts
 */
export const translated = async <T>(work: () => Promise<T>, patienceMs: number = COMMAND_PATIENCE_MS): Promise<T> => {
  try {
    return await inTime(work(), patienceMs);
  } catch (error) {
    throw translateMongoError(error);
  }
};

/** That a unique key is taken. To be caught inside of {@link translated}. */
export const isDuplicateKey = (error: unknown): boolean => error instanceof MongoServerError && error.code === 11_000;

/**
 * What is known after an error of {@link translated}: nothing was done and doing it again would fail as well (`no`), it
 * was not done yet (`later`), or it may have been done (`perhaps`).
 */
export const wasDone = (error: unknown): "no" | "later" | "perhaps" => {
  if (isSilence(error)) return "perhaps";
  const cause = error instanceof AigwError ? error.cause : undefined;
  if (isSocketError(cause)) return "perhaps";
  if (!(cause instanceof MongoError)) return "no";
  if (cause instanceof MongoServerSelectionError || cause.name === WAIT_QUEUE_TIMEOUT) return "later";
  const code = Number(cause.code ?? 0);
  return cause instanceof MongoNetworkError || NO_PRIMARY.has(code) || NOT_CONFIRMED.has(code) ? "perhaps" : "no";
};

interface Fault {
  readonly code: ErrorCode;
  readonly what: string;
}

const unavailable = (what: string): Fault => ({ code: "store_unavailable", what });

const LOST = unavailable("The connection to the MongoDB server was lost. Check that it runs and can be reached.");

/** A connection that breaks off while a command waits to be sent: the driver hands on what the socket says (7.9). */
const isSocketError = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  /^(EPIPE|ECONN[A-Z]+|ENOTCONN|ESHUTDOWN|ETIMEDOUT|E(HOST|NET)[A-Z]+|ERR_(STREAM|SOCKET)_[A-Z_]+)$/.test(
    String(error.code),
  );

/** Codes of the server, https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml. */
const NO_PRIMARY = new Set([91, 189, 10_058, 10_107, 11_600, 11_602, 13_435, 13_436]);
const NOT_CONFIRMED = new Set([50, 64, 79, 100, 262]);
const WRONG_CREDENTIALS = new Set([11, 18, 8_000]);
const NOT_ALLOWED = 13;
const OUT_OF_DISK_SPACE = 14_031;
/** Its class is not exported. */
const WAIT_QUEUE_TIMEOUT = "MongoWaitQueueTimeoutError";
const TOO_LARGE = new Set([10_334, 17_419, 17_420]);

export const translateMongoError = (error: unknown): unknown => {
  if (isSocketError(error)) return new AigwError("store_unavailable", LOST.what, { cause: error });
  if (!(error instanceof MongoError)) return error;
  const { code, what } = faultOf(error);
  const details = error instanceof MongoServerError ? { mongodb: Number(error.code ?? 0) } : {};
  return new AigwError(code, what, { cause: error, details });
};

const faultOf = (error: MongoError): Fault => {
  if (error instanceof MongoServerError) return serverFault(error);
  if (error instanceof MongoServerSelectionError) return selectionFault(error);
  if (error instanceof MongoNetworkTimeoutError) return unavailable("The MongoDB server did not answer in time.");
  if (error instanceof MongoNetworkError) return LOST;
  switch (error.name) {
    case WAIT_QUEUE_TIMEOUT:
      return unavailable(
        "The MongoDB server answers too slowly: all connections to it are busy. Try again in a moment.",
      );
    case "MongoClientClosedError":
    case "MongoNotConnectedError":
    case "MongoPoolClosedError":
    case "MongoServerClosedError":
    case "MongoTopologyClosedError":
    case "MongoExpiredSessionError":
      return unavailable("The MongoDB store is closed.");
    case "MongoCompatibilityError":
      return { code: "store_unsupported", what: "The MongoDB server is of a version that aigw cannot use." };
    case "MongoMissingDependencyError":
      return { code: "store_unsupported", what: "The MongoDB URL asks for something that this build does not have." };
    default:
      break;
  }
  if (error instanceof MongoAPIError || error instanceof MongoDriverError)
    return { code: "failed", what: `The MongoDB driver refused a command (${error.name}).` };
  return unavailable(`The MongoDB server cannot be used (${error.name}).`);
};

const serverFault = (error: MongoServerError): Fault => {
  const number = Number(error.code ?? 0);
  if (WRONG_CREDENTIALS.has(number))
    return unavailable(
      "The MongoDB server refused the user name or the password. Check both in the store's URL, and its authSource.",
    );
  if (number === NOT_ALLOWED)
    return unavailable(
      "The MongoDB user may not do this in the store's database. Give it the role readWrite there, or check that the store's URL names a user.",
    );
  if (NO_PRIMARY.has(number))
    return unavailable("The MongoDB server takes no writes at the moment: it is being elected or ends. Try again.");
  if (NOT_CONFIRMED.has(number))
    return unavailable("The MongoDB servers did not confirm in time. Check that a majority of the replica set runs.");
  if (number === OUT_OF_DISK_SPACE)
    return { code: "store_full", what: "The disk of the MongoDB server is full. Free some space." };
  if (TOO_LARGE.has(number))
    return { code: "invalid_value", what: "This is too large for one document of MongoDB (16 MiB). Do it in parts." };
  // What the server says may repeat what was to be stored.
  return { code: "failed", what: `The MongoDB server refused a command (${error.codeName ?? "code"} ${number}).` };
};

/** No server that takes writes was found in time. */
const selectionFault = ({ reason }: MongoServerSelectionError): Fault => {
  const servers = [...(reason?.servers.values() ?? [])];
  const hosts = servers.map(({ address }) => address).join(", ");
  const at = hosts === "" ? "" : ` at ${hosts}`;
  if (servers.some(({ error }) => error === null))
    return unavailable(`No MongoDB server${at} takes writes: there is no primary. Check the replica set's members.`);
  return unavailable(`No MongoDB server answers${at}. Check that it runs, the address, and whether it asks for TLS.`);
};
