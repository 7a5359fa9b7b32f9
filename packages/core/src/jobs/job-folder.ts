import { randomBytes } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AigwError } from "../errors.ts";
import { translateFsError } from "../files/translate-fs-error.ts";
import { makeFolder } from "../home/make-folder.ts";
import { assertPrivate } from "../sealing/master-key.ts";
import { isJobId, type Job } from "./job.ts";

export type JobPart = "request" | "answer";

/** A file of a job that nobody may know of any more. */
export interface FoundFile {
  readonly client: string;
  readonly id: string;
  /** When it was last written, milliseconds since the epoch. */
  readonly mtimeMs: number;
}

/**
 * The folder of sealed requests and answers, with one for each client in it, so that what is a client's goes at once with
 * it. It has a name, its place, by which jobs say where their files are: several machines may share it.
 */
export class JobFolder {
  readonly path: string;
  readonly place: string;

  private constructor(path: string, place: string) {
    this.path = path;
    this.place = place;
  }

  /**
   * Makes it where it is missing.
   * @param path absolute
   * @param storeId of the store whose jobs are in it: what another one does not know, it would take for left over
   * @throws AigwError `store_full`, `store_read_only`, `store_unavailable`, `insecure_permissions`; `failed` when it is
   * another store's
   */
  static open(path: string, storeId: string): JobFolder {
    try {
      makeFolder(path);
      assertPrivate(path, "folder");
      assertOwn(path, storeId);
      return new JobFolder(path, placeOf(path));
    } catch (error) {
      throw translateFsError(error, path);
    }
  }

  /** Whether it is there, and this one: a mount may be away for a moment, and an empty folder in its place. */
  isThere(): boolean {
    try {
      return readFileSync(join(this.path, "place"), "utf8") === this.place;
    } catch {
      return false;
    }
  }

  fileOf({ client, id }: Pick<Job, "client" | "id">, part: JobPart): string {
    return join(this.path, client, `${id}.${part}`);
  }

  /** @throws as {@link JobFolder.open} */
  makeRoomFor({ client }: Pick<Job, "client">): void {
    try {
      makeFolder(join(this.path, client));
    } catch (error) {
      throw translateFsError(error, this.path);
    }
  }

  /** One that is not there is as good as gone. */
  remove(job: Pick<Job, "client" | "id">, part?: JobPart): void {
    for (const one of part === undefined ? (["request", "answer"] as const) : [part]) {
      rmSync(this.fileOf(job, one), { force: true });
    }
  }

  /** Whose files there are: ids of clients. */
  clients(): readonly string[] {
    return entriesOf(this.path).filter((name) => /^c_[a-z0-9]+$/.test(name));
  }

  /** All that there is of one. */
  removeClient(client: string): void {
    // Another thread or process may be about to create one.
    rmSync(join(this.path, client), { recursive: true, force: true, maxRetries: 5, retryDelay: 5 });
  }

  *files(): Generator<FoundFile> {
    for (const client of this.clients()) {
      for (const name of entriesOf(join(this.path, client))) {
        const id = name.replace(/\.(request|answer)$/, "");
        if (!isJobId(id)) continue;
        const stat = lstatSync(join(this.path, client, name), { throwIfNoEntry: false });
        if (stat !== undefined) yield { client, id, mtimeMs: stat.mtimeMs };
      }
    }
  }
}

const entriesOf = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

const assertOwn = (folder: string, storeId: string): void => {
  if (writtenOnce(folder, "store", storeId, /^.+$/) === storeId) return;
  throw new AigwError("failed", `${folder} has the jobs of another store. Choose another folder, or empty this one.`);
};

const placeOf = (folder: string): string =>
  writtenOnce(folder, "place", `p_${randomBytes(8).toString("hex")}`, /^p_[0-9a-f]{16}$/);

/** Of two gateways that begin at the same moment, one writes it and both read it. */
const writtenOnce = (folder: string, name: string, value: string, whole: RegExp): string => {
  const path = join(folder, name);
  try {
    writeFileSync(path, value, { flag: "wx", mode: 0o600, flush: true });
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "EEXIST") throw error;
  }
  for (let tries = 0; tries < 100; tries += 1) {
    const found = readFileSync(path, "utf8");
    if (whole.test(found)) return found;
    // The other one is about to write it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
  throw Object.assign(new Error(`the file '${name}' of the folder is damaged`), { code: "EINVAL", syscall: "read" });
};
