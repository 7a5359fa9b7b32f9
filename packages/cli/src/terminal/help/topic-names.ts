/** Apart from what they say, so that completion need not load it. */
export const TOPIC_NAMES = ["environment", "exit-codes", "scripting", "security"] as const;
export type TopicName = (typeof TOPIC_NAMES)[number];
