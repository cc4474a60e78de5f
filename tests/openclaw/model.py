"""A model that does as it is told: OpenAI chat completions on loopback.

A line `CALL tool {json}` of the user becomes one call of that tool, in which "@attached" stands for the
file the user attached; the words after a tool's result are that result. `is it ready?` is answered with
what the plugin has told the session since the last answer. Anything else is answered with `heard`. Every
request is kept.
"""
import json
import re
import threading
import time

import loopback

WORDS_MAX = 3000


def words(message):
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


def replace(value, path):
    if isinstance(value, dict):
        return {k: replace(v, path) for k, v in value.items()}
    if isinstance(value, list):
        return [replace(v, path) for v in value]
    return path if value == "@attached" else value


class Model:
    def __init__(self):
        self.more = threading.Condition()
        self.requests = []
        self.server = loopback.Server(self._serve)
        self.base = self.server.base

    def wait(self, wanted, timeout):
        """Until such a request has come."""
        with self.more:
            if not self.more.wait_for(lambda: any(wanted(r) for r in self.requests), timeout):
                raise AssertionError("no such request among %d" % len(self.requests))

    def close(self):
        self.server.refuse()

    def _decide(self, body):
        """("call", name, arguments) or ("say", text). What people wrote is in the user messages
        since the last answer: the host puts its own words beside theirs, in messages and in lines, and
        after a tool's result too."""
        new = []
        for message in reversed(body.get("messages", [])):
            if message.get("role") == "assistant":
                break
            new.insert(0, message)
        text = "\n".join(words(m) for m in new if m.get("role") == "user")
        if re.search(r"(?:^|\] )is it ready\?", text, re.M):
            # Also after a call that was cut off, for which the host makes up a result.
            known = re.findall(r"(?:^|\] )\[clawmedia, .*? job (\w+) ((?:was sent|came) .*)", text, re.M)
            shown = re.findall(r"^MEDIA:.*$", text, re.M)
            return "say", "\n".join(["It %s (%s)" % known[-1][::-1], *shown]) if known else \
                "I do not know"
        results = [m for m in new if m.get("role") == "tool"]
        if results:
            return "say", words(results[-1])[:WORDS_MAX]
        for name, found in reversed(re.findall(r"(?:^|\] )CALL (\w+) (\{.*\})", text, re.M)):
            try:
                arguments = json.loads(found)
            except ValueError:
                continue
            attached = re.findall(r"\[media attached[^\]]*?: (\S+) \(", text)
            arguments = replace(arguments, attached[-1] if attached else None)
            tools = [t["function"]["name"] for t in body.get("tools", [])]
            if name not in tools:
                return "say", "There is no tool %s, only %s" % (name, " ".join(tools))
            return "call", name, arguments
        return "say", "heard"

    def _serve(self, request):
        if not request.path.endswith("/chat/completions"):
            request.answer({"object": "list", "data": [{"id": "mock-1", "object": "model"}]})
            return
        body = json.loads(request.body)
        with self.more:
            self.requests.append(body)
            number = len(self.requests)
            self.more.notify_all()
        what, *rest = self._decide(body)
        message = {"role": "assistant", "content": rest[0] if what == "say" else None}
        if what == "call":
            message["tool_calls"] = [{"index": 0, "id": "call_%d" % number, "type": "function",
                                      "function": {"name": rest[0],
                                                   "arguments": json.dumps(rest[1])}}]
        reason = "stop" if what == "say" else "tool_calls"
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        base = {"id": "c%d" % number, "created": int(time.time()), "model": body.get("model")}
        if not body.get("stream"):
            request.answer(dict(base, object="chat.completion", usage=usage, choices=[
                {"index": 0, "finish_reason": reason, "message": message}]))
            return
        text = ""
        for piece in ({"choices": [{"index": 0, "delta": message}]},
                      {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
                      {"choices": [], "usage": usage}):
            text += "data: %s\n\n" % json.dumps(dict(base, object="chat.completion.chunk", **piece))
        request.answer_bytes((text + "data: [DONE]\n\n").encode(), "text/event-stream")
