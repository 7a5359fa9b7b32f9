/** The commands there are, as a part of a pattern: a command of ours in a sentence is `aigw` and one of them. */
export const COMMAND_NAMES =
  "init|config|serve|client|service|price|plan|secret|onboard|jobs|usage|top|why|review|audit|guide|status|doctor|backup|restore-backup|store|demo|completion|version|help";
