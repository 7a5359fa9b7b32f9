/** What every object of one chat completion has. */
export const COMPLETION = {
  id: "chatcmpl-9f1c2a",
  object: "chat.completion.chunk",
  created: 1_764_000_000,
  model: "llama-3.1-8b-instruct",
};
export const USAGE = {
  prompt_tokens: 12,
  completion_tokens: 134,
  total_tokens: 146,
  prompt_tokens_details: { cached_tokens: 0 },
};
const TEXT = "Lorem ipsum dolor sit amet, consectetur adipiscing elit.\n";

/** 1 KiB, as a chat completion has it. */
export const ANSWER: string = JSON.stringify({
  ...COMPLETION,
  object: "chat.completion",
  choices: [
    { index: 0, message: { role: "assistant", content: TEXT.repeat(11), refusal: null }, finish_reason: "stop" },
  ],
  usage: USAGE,
}).padEnd(1_024);
