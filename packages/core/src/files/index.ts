export { hasRoomFor } from "./free-space.ts";
export { isOutOfFiles } from "./is-out-of-files.ts";
