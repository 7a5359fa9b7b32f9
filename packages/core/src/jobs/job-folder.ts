import { randomBytes } from "node:crypto";
import { lstat, readdir, readFile, rm, rmdir, stat, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AigwError, isAigwError } from "../errors.ts";
import { isRoom } from "../files/free-space.ts";
import { syncFolder } from "../files/sync-path.ts";
import { translateFsError } from "../files/translate-fs-error.ts";
import { assertPrivateStat } from "../sealing/master-key.ts";
import type { Sealer } from "../sealing/sealer.ts";
import { FolderCalls } from "./folder-calls.ts";
import { isJobId, type Job } from "./job.ts";
import { makeFolderBy } from "./make-folder-by.ts";
import { SealedReader, SealedWriter } from "./sealed-file.ts";

export type JobPart = "request" | "answer";

/** A file of a job that nobody may know of any more. */
export interface FoundFile {
  readonly client: string;
  readonly id: string;
  /** When it was last written, milliseconds since the epoch. */
  readonly mtimeMs: number;
}

/** Of removing what others put there meanwhile. */
const MOST_TRIES = 5;

type Whose = Pick<Job, "client" | "id">;

/**
 * The folder of sealed requests and answers, with one for each client in it, so that what is a client's goes at once with
 * it. It has a name, its place, by which jobs say where their files are: several machines may share it. Every method
 * throws AigwError `store_unavailable` when its file system does not answer, see FolderCalls.
 */
export class JobFolder {
  readonly path: string;
  readonly place: string;
  readonly #storeId: string;
  readonly #calls: FolderCalls;

  private constructor(path: string, place: string, storeId: string, calls: FolderCalls) {
    this.path = path;
    this.place = place;
    this.#storeId = storeId;
    this.#calls = calls;
  }

  /**
   * Makes it where it is missing.
   * @param path absolute
   * @param storeId of the store whose jobs are in it: what another one does not know, it would take for left over
   * @param calls the process's for this path: to open a folder that is away once more takes no more threads
   * @throws AigwError `store_full`, `store_read_only`, `store_unavailable`, `insecure_permissions`; `failed` when it is
   * another store's
   */
  static async open(path: string, storeId: string, calls: FolderCalls = new FolderCalls(path)): Promise<JobFolder> {
    try {
      await makeFolderBy(path, (call) => calls.run(call));
      assertPrivateStat(await calls.run(() => stat(path)), path, "folder");
      await assertOwn(calls, path, storeId);
      return new JobFolder(path, await placeOf(calls, path), storeId, calls);
    } catch (error) {
      throw translateFsError(error, path);
    }
  }

  /** Whether it is there, and this one: a mount may be away for a moment, and an empty folder in its place. */
  async isThere(): Promise<boolean> {
    try {
      return (await this.#calls.run(() => readFile(join(this.path, "place"), "utf8"))) === this.place;
    } catch {
      return false;
    }
  }

  fileOf({ client, id }: Whose, part: JobPart): string {
    return join(this.path, client, `${id}.${part}`);
  }

  /** @throws as {@link JobFolder.open} */
  async makeRoomFor({ client }: Pick<Job, "client">): Promise<void> {
    try {
      await makeFolderBy(join(this.path, client), (call) => this.#calls.run(call));
    } catch (error) {
      throw translateFsError(error, this.path);
    }
  }

  /** Whether so many bytes can be written without coming near a full disk. */
  async hasRoomFor(bytes: number): Promise<boolean> {
    try {
      return isRoom(await this.#calls.run(() => statfs(this.path)), bytes);
    } catch (error) {
      if (isAigwError(error)) throw error;
      return true;
    }
  }

  /** There must be none yet. @throws as {@link SealedWriter.create} */
  create(sealer: Pick<Sealer, "mac">, job: Whose, part: JobPart, facts: unknown): Promise<SealedWriter> {
    return SealedWriter.create(this.fileOf(job, part), this.#contextOf(sealer, job, part), facts, this.#calls);
  }

  /** @throws as {@link SealedReader.open} */
  read(sealer: Pick<Sealer, "mac">, job: Whose, part: JobPart): Promise<SealedReader> {
    return SealedReader.open(this.fileOf(job, part), this.#contextOf(sealer, job, part), this.#calls);
  }

  #contextOf(sealer: Pick<Sealer, "mac">, { id }: Whose, part: JobPart) {
    return { sealer, storeId: this.#storeId, name: `${id} ${part}` };
  }

  /** One that is not there is as good as gone. @throws as {@link JobFolder.open} */
  async remove(job: Whose, part?: JobPart): Promise<void> {
    for (const one of part === undefined ? (["request", "answer"] as const) : [part]) {
      await this.#remove(this.fileOf(job, one));
    }
  }

  /** Whose files there are: ids of clients. */
  async clients(): Promise<readonly string[]> {
    return (await this.#entriesOf(this.path)).filter((name) => /^c_[a-z0-9]+$/.test(name));
  }

  /** All that there is of one, file by file: Node's way removes many at once, each by a thread. @throws as {@link JobFolder.open} */
  async removeClient(client: string): Promise<void> {
    const folder = join(this.path, client);
    // Another thread or process may be about to create one.
    for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
      for (const name of await this.#entriesOf(folder)) await this.#remove(join(folder, name));
      if (await this.#removeEmpty(folder, tries)) return;
      await delay(5);
    }
  }

  async *files(): AsyncGenerator<FoundFile> {
    for (const client of await this.clients()) {
      for (const name of await this.#entriesOf(join(this.path, client))) {
        const id = name.replace(/\.(request|answer)$/, "");
        if (!isJobId(id)) continue;
        const mtimeMs = await this.#writtenAt(join(this.path, client, name));
        if (mtimeMs !== undefined) yield { client, id, mtimeMs };
      }
    }
  }

  async #remove(path: string): Promise<void> {
    try {
      await this.#calls.run(() => rm(path, { recursive: true, force: true }));
    } catch (error) {
      throw translateFsError(error, this.path);
    }
  }

  /** @returns false when something was put there meanwhile, but for the last time */
  async #removeEmpty(folder: string, tries: number): Promise<boolean> {
    try {
      await this.#calls.run(() => rmdir(folder));
      return true;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "ENOENT") return true;
      if (tries < MOST_TRIES && (code === "ENOTEMPTY" || code === "EEXIST")) return false;
      throw translateFsError(error, this.path);
    }
  }

  async #entriesOf(folder: string): Promise<readonly string[]> {
    try {
      return await this.#calls.run(() => readdir(folder));
    } catch (error) {
      if (isAigwError(error)) throw error;
      return [];
    }
  }

  /** @returns undefined when it is gone */
  async #writtenAt(path: string): Promise<number | undefined> {
    try {
      return (await this.#calls.run(() => lstat(path))).mtimeMs;
    } catch (error) {
      if (isAigwError(error)) throw error;
      return undefined;
    }
  }
}

const assertOwn = async (calls: FolderCalls, folder: string, storeId: string): Promise<void> => {
  if ((await writtenOnce(calls, join(folder, "store"), storeId, /^.+$/)) === storeId) return;
  throw new AigwError("failed", `${folder} has the jobs of another store. Choose another folder, or empty this one.`);
};

const placeOf = (calls: FolderCalls, folder: string): Promise<string> =>
  writtenOnce(calls, join(folder, "place"), `p_${randomBytes(8).toString("hex")}`, /^p_[0-9a-f]{16}$/);

/** Of two gateways that begin at the same moment, one writes it and both read it. */
const writtenOnce = async (calls: FolderCalls, path: string, value: string, whole: RegExp): Promise<string> => {
  try {
    await calls.run(() => writeFile(path, value, { flag: "wx", mode: 0o600, flush: true }));
    await calls.run(() => syncFolder(dirname(path)));
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "EEXIST") throw error;
  }
  for (let tries = 0; tries < 100; tries += 1) {
    const found = await calls.run(() => readFile(path, "utf8"));
    if (whole.test(found)) return found;
    // The other one is about to write it.
    await delay(5);
  }
  throw Object.assign(new Error(`the file ${path} is damaged`), { code: "EINVAL", syscall: "read" });
};
