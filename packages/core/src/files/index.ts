export { isOutOfFiles } from "./is-out-of-files.ts";
