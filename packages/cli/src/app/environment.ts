import { SETTING_KEYS, SETTINGS } from "@aigw/core/config";

export interface EnvironmentVariable {
  readonly name: string;
  readonly about: string;
}

/**
 * Every variable that aigw reads. docs/configuration.md lists exactly these, and the sources read no other: both are
 * tested.
 */
export const ENVIRONMENT: readonly EnvironmentVariable[] = [
  { name: "AIGW_HOME", about: "the home folder" },
  {
    name: "AIGW_STORE",
    about: "the store, when it is not in the home: sqlite:<path>, or mongodb://<user>:<password>@<hosts>/<database>",
  },
  {
    name: "AIGW_MASTER_KEY",
    about: "the master key itself (43 characters of base64url), in place of the key file",
  },
  {
    name: "AIGW_GROUP_ACCESS",
    about: "1: the home may be open to a group that the process is in, as on a volume with fsGroup; never to others",
  },
  ...SETTING_KEYS.map((key) => ({ name: SETTINGS[key].env, about: `the setting ${key}: ${SETTINGS[key].about}` })),
  { name: "AIGW_DEBUG", about: "1 shows the stack of an internal error" },
  { name: "XDG_DATA_HOME", about: "aigw in it is the home, when AIGW_HOME is not set" },
  { name: "HOME", about: ".local/share/aigw in it is the home, when neither of these is set" },
  { name: "XDG_CACHE_HOME", about: "aigw in it, else .cache/aigw in HOME, keeps compiled code for the next start" },
  {
    name: "PAGER",
    about: "what long text is read with on a terminal; less unless set, nothing at all when empty or cat",
  },
  { name: "LESS", about: "options of less; FRX unless set" },
  { name: "VISUAL", about: "the editor for aigw client edit" },
  { name: "EDITOR", about: "the same, when VISUAL is not set; vi when neither is" },
  { name: "NO_COLOR", about: "anything: no colour" },
  { name: "FORCE_COLOR", about: "anything but 0 or false: colour without a terminal too; 2 or 3: of 256" },
  { name: "TERM", about: "dumb: no colour, no pager; with 256 in it: colours that read on light and dark" },
  { name: "COLORTERM", about: "anything: the same as 256 in TERM" },
];
