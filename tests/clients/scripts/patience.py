"""One call with the SDK's own retries; prints its text. `patience.py BASE_URL KEY`."""

import json
import sys

import anthropic

base_url, key = sys.argv[1:3]
client = anthropic.Anthropic(base_url=base_url, api_key=key, max_retries=2)
hi = [{"role": "user", "content": "hi"}]
message = client.messages.create(model="claude-text", max_tokens=5, messages=hi)
sys.stdout.write(json.dumps(message.content[0].text))
