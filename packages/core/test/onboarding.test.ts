import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type OnboardingFacts, quickStart, renderOnboardingEmail } from "@aigw/core";

const facts: OnboardingFacts = {
  greetingName: "John Doe",
  username: "john",
  password: "aB3-_.~*@:,xyzXYZ123",
  publicUrl: "https://ai.example.com",
  guideUrl: "https://ai.example.com/guide",
  services: ["chat", "ocr"],
  limitPerMinute: 60,
  expiresAt: undefined,
  supportEmail: "help@example.com",
  senderName: "Ada",
};

describe("onboarding e-mail", () => {
  it("is the user's template, line by line", () => {
    const { subject, body } = renderOnboardingEmail(facts);
    assert.equal(subject, "AI Gateway API Access");
    assert.equal(
      body,
      `Hi John Doe,

Here are your API credentials:

API Endpoint: https://ai.example.com
Username: john
Password: aB3-_.~*@:,xyzXYZ123

Documentation: https://ai.example.com/guide

Quick Start:
1. Get your token:
   curl -X POST "https://ai.example.com/auth/token" \\
     -d "username=john&password=aB3-_.~*@:,xyzXYZ123"

2. Use the token for API calls:
   curl "https://ai.example.com/api/chat" \\
     -H "Authorization: Bearer YOUR_TOKEN"
   curl "https://ai.example.com/api/ocr" \\
     -H "Authorization: Bearer YOUR_TOKEN"

Support: help@example.com

Best regards,
Ada
`,
    );
  });

  it("has curl encode a chosen password that is not safe as printed", () => {
    const { token } = quickStart({ ...facts, password: `it's $5 & "more"` });
    assert.equal(
      token,
      `curl -X POST "https://ai.example.com/auth/token" \\
  --data-urlencode "username=john" \\
  --data-urlencode 'password=it'\\''s $5 & "more"'`,
    );
  });
});
