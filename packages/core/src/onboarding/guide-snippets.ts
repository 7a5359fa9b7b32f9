import type { GuideFacts, GuideService } from "./guide-facts.ts";
import type { Block, CodeLanguage } from "./guide-text.ts";
import { powerShellQuickStart } from "./power-shell.ts";

const PLACEHOLDER = "YOUR_SERVICE";

const sample = (label: string, language: CodeLanguage, code: string): Block => ({
  kind: "code",
  label,
  language,
  code,
});

/** The service that the examples call: one that takes a picture, if there is one. */
const exampleService = ({ services }: GuideFacts): string =>
  (services.find(({ name }) => /ocr|image|vision|scan/.test(name)) ?? services[0])?.name ?? PLACEHOLDER;

/** The first that seems to speak the OpenAI API, by its name, its base path or its example. */
export const chatService = ({ services }: GuideFacts): GuideService | undefined =>
  services.find(({ name }) => /chat|llm|gpt|openai|llama|ollama|mistral|qwen|completion/.test(name)) ??
  services.find(({ openAiSuffix, example = "" }) => openAiSuffix === "" || /chat\/completions/.test(example));

/** The commands that onboarding e-mails and the quick reference are known by. */
export const curlSample = (facts: GuideFacts): Block =>
  sample(
    "Terminal",
    "bash",
    `# 1. Get a token
TOKEN=$(curl -s -X POST "${facts.publicUrl}/auth/token" \\
  -d "username=YOUR_USERNAME&password=YOUR_PASSWORD" | \\
  python3 -c "import sys, json; print(json.load(sys.stdin)['access_token'])")

# 2. Call a service with it
curl "${facts.publicUrl}/api/${exampleService(facts)}" \\
  -H "Authorization: Bearer $TOKEN"`,
  );

export const uploadSample = (facts: GuideFacts): Block =>
  sample(
    "Send a file",
    "bash",
    `curl "${facts.publicUrl}/api/${exampleService(facts)}" \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: image/png" \\
  --data-binary @picture.png`,
  );

/** Where `curl` is another program, and lines are continued by another character. */
export const powerShellSample = (facts: GuideFacts): Block => {
  const { publicUrl } = facts;
  const yours = { publicUrl, username: "YOUR_USERNAME", password: "YOUR_PASSWORD", services: [exampleService(facts)] };
  const { token, calls } = powerShellQuickStart(yours);
  return sample(
    "PowerShell",
    "powershell",
    `# 1. Get a token\n${token}\n\n# 2. Call a service with it\n${calls.join("\n")}`,
  );
};

export const powerShellUploadSample = (facts: GuideFacts): Block =>
  sample(
    "Send a file",
    "powershell",
    `Invoke-RestMethod -Method Post -Uri '${facts.publicUrl}/api/${exampleService(facts)}' \`
  -Headers @{ Authorization = "Bearer $token" } \`
  -ContentType 'image/png' -InFile picture.png`,
  );

/** What an admin gave as a service's example, in whatever language it is. */
export const serviceExample = ({ name, example = "" }: GuideService): Block =>
  sample(`${name}: an example`, languageOf(example), example);

const languageOf = (code: string): CodeLanguage => {
  if (/^\s*[{[]/.test(code)) return "json";
  if (/^\s*(import|from) \w/m.test(code)) return "python";
  if (/\b(Invoke-RestMethod|Invoke-WebRequest)\b/.test(code)) return "powershell";
  return /^\s*(curl|\w+=\S|#)/m.test(code) ? "bash" : "text";
};

/** The standard library only, so that it runs as it is pasted. */
export const pythonSample = (facts: GuideFacts): Block =>
  sample(
    "Python 3",
    "python",
    `import json
import time
import urllib.parse
import urllib.request

BASE_URL = "${facts.publicUrl}"
USERNAME = "YOUR_USERNAME"
PASSWORD = "YOUR_PASSWORD"

_token, _expires_at = "", 0.0

def token():
    """A valid token: a new one when the last is about to expire."""
    global _token, _expires_at
    if time.time() > _expires_at - 60:
        form = urllib.parse.urlencode({"username": USERNAME, "password": PASSWORD})
        with urllib.request.urlopen(BASE_URL + "/auth/token", form.encode()) as answer:
            body = json.load(answer)
        _token, _expires_at = body["access_token"], time.time() + body["expires_in"]
    return _token

request = urllib.request.Request(
    BASE_URL + "/api/${exampleService(facts)}",
    headers={"Authorization": "Bearer " + token()},
)
with urllib.request.urlopen(request) as answer:
    print(answer.read().decode())`,
  );

export const javascriptSample = (facts: GuideFacts): Block =>
  sample(
    "Node.js, Deno, Bun",
    "javascript",
    `const baseUrl = "${facts.publicUrl}";
const username = "YOUR_USERNAME";
const password = "YOUR_PASSWORD";

let token = "";
let expiresAt = 0;

/** A valid token: a new one when the last is about to expire. */
async function getToken() {
  if (Date.now() > expiresAt - 60_000) {
    const answer = await fetch(\`\${baseUrl}/auth/token\`, {
      method: "POST",
      body: new URLSearchParams({ username, password }),
    });
    if (!answer.ok) throw new Error(\`No token: \${await answer.text()}\`);
    const { access_token, expires_in } = await answer.json();
    token = access_token;
    expiresAt = Date.now() + expires_in * 1000;
  }
  return token;
}

const answer = await fetch(\`\${baseUrl}/api/${exampleService(facts)}\`, {
  headers: { Authorization: \`Bearer \${await getToken()}\` },
});
console.log(answer.status, await answer.text());`,
  );

export const openAiSample = (facts: GuideFacts): Block => {
  const { name, openAiSuffix } = chatService(facts) ?? { name: PLACEHOLDER, openAiSuffix: "/v1" };
  return sample(
    "Python, with the openai package",
    "python",
    `from openai import OpenAI

client = OpenAI(
    base_url="${facts.publicUrl}/api/${name}${openAiSuffix}",
    api_key=token(),  # as in the Python example
)
answer = client.chat.completions.create(
    model="YOUR_MODEL",
    messages=[{"role": "user", "content": "Hello!"}],
)
print(answer.choices[0].message.content)`,
  );
};

export const tokenAnswerSample = ({ tokenLifetimeS }: GuideFacts): Block =>
  sample(
    "The answer",
    "json",
    `{
  "access_token": "eyJhbGc…",
  "token_type": "bearer",
  "expires_in": ${tokenLifetimeS}
}`,
  );

export const problemSample = (): Block =>
  sample(
    "An error of the gateway's own",
    "json",
    `{
  "type": "urn:aigw:problem:rate_limited",
  "title": "Too many requests",
  "status": 429,
  "detail": "The limit of 60 requests in 60 s is used up: try again in 12 s.",
  "code": "rate_limited",
  "request_id": "2f1c…",
  "error": { "message": "…", "type": "rate_limit_error", "code": "rate_limited" }
}`,
  );
