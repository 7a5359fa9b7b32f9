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
  { name: "AIGW_STORE", about: "sqlite:<path> of the control database, when it is not in the home" },
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
  { name: "NO_COLOR", about: "anything: no colour" },
  { name: "FORCE_COLOR", about: "anything but 0 or false: colour without a terminal too" },
  { name: "TERM", about: "dumb: no colour" },
];
