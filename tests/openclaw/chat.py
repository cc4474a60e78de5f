"""A Telegram Bot API on loopback: what people write, what the bot sends, and when.

Update and message numbers start at the present time: the host keeps its place in the updates over a
restart and drops message numbers that it has seen. Sends can be made to fail; a failed send is no
message. Waiting is for the next message, never for time to pass.
"""
import json
import threading
import time
import urllib.parse

import loopback

TOKEN = "111:test"
LONG_POLL_S = 10

MEDIA = {"sendPhoto": "photo", "sendVideo": "video", "sendDocument": "document",
         "sendAnimation": "animation"}


class Message:
    """One bubble of a chat. file is (name, type, bytes) or None."""

    def __init__(self, at, who, chat, text, method="", file=None, number=0, thread=None):
        self.at = at
        self.who = who
        self.chat = chat
        self.text = text
        self.method = method
        self.file = file
        self.number = number
        self.thread = thread
        self.removed = False

    def __repr__(self):
        text = self.text if len(self.text) < 400 else self.text[:400] + "..."
        if self.removed:
            text = "(taken back) " + text
        if self.file:
            text = "[%s: %s, %d bytes] %s" % (self.method, self.file[1], len(self.file[2]), text)
        return "%7.1f s  %-7s  %s" % (self.at, self.who, text.replace("\n", "\n" + " " * 20))


class Chat:
    def __init__(self):
        self.began = time.monotonic()
        self.more = threading.Condition()
        self.messages = []
        self.tries = []         # every send with a file, failed or not: (method, chat)
        self.updates = []
        self.looks = 0          # at getUpdates
        self.faults = []
        self.files = {}         # what people attached, by file_id
        self.number = int(time.time()) % 100000000
        self.update = int(time.time())
        self.server = loopback.Server(self._serve)
        self.base = self.server.base

    # --- people ---

    def say(self, chat, text, photo=None, thread=None):
        """A person writes; a number below 0 is a group. The place in the list, for wait()."""
        with self.more:
            self.number += 1
            self.update += 1
            message = {"message_id": self.number, "date": int(time.time()),
                       "chat": self._chat(chat, thread),
                       "from": {"id": abs(chat), "is_bot": False, "first_name": "U%d" % abs(chat)}}
            if thread:
                message.update(message_thread_id=thread, is_topic_message=True)
            if photo is not None:
                name = "in%d" % self.number
                self.files[name] = photo
                message.update(caption=text, photo=[{
                    "file_id": name, "file_unique_id": "u" + name, "width": 64, "height": 64,
                    "file_size": len(photo)}])
            else:
                message["text"] = text
            self.updates.append({"update_id": self.update, "message": message})
            file = ("photo.png", "image/png", photo) if photo is not None else None
            self._add(Message(self.now(), "user", chat, text, "photo" if file else "", file,
                              self.number, thread))
            return len(self.messages)

    def note(self, text):
        """What happened beside the chat, for the transcript."""
        with self.more:
            self._add(Message(self.now(), "-", 0, text))

    def fail(self, method, count, status=500, **more):
        """The next count such sends fail; status 0 hangs up without an answer."""
        with self.more:
            self.faults.append({"method": method, "count": count, "status": status, "more": more})

    # --- looking ---

    def now(self):
        return time.monotonic() - self.began

    def sent(self, chat, since=0, files=None):
        """What the bot sent there; files True: only with a file, False: only without."""
        return [m for m in self.messages[since:] if m.who == "bot" and m.chat == chat and
                not m.removed and (files is None or files == (m.file is not None))]

    def wait(self, chat, since, timeout, text=None, files=None, count=1):
        """Until the bot has sent count such messages there; the last of them."""
        def found():
            return [m for m in self.sent(chat, since, files) if text is None or text in m.text]
        with self.more:
            if not self.more.wait_for(lambda: len(found()) >= count, timeout):
                raise AssertionError("%d of %d messages (text %r, files %r) after %g s:\n%s" % (
                    len(found()), count, text, files, timeout, self.transcript(chat, since)))
            return found()[count - 1]

    def wait_tries(self, count, timeout):
        with self.more:
            if not self.more.wait_for(lambda: len(self.tries) >= count, timeout):
                raise AssertionError("%d of %d tries" % (len(self.tries), count))

    def wait_look(self, looks, timeout):
        """Until the host has asked for updates more often than so."""
        with self.more:
            if not self.more.wait_for(lambda: self.looks > looks, timeout):
                raise AssertionError("the host does not ask for updates")

    def transcript(self, chat, since=0):
        return "\n".join(repr(m) for m in self.messages[since:] if m.chat in (chat, 0))

    def close(self):
        self.server.refuse()
        with self.more:
            self.more.notify_all()

    # --- the Bot API ---

    def _add(self, message):
        self.messages.append(message)
        self.more.notify_all()

    @staticmethod
    def _chat(chat, thread=None):
        if chat < 0:
            return {"id": chat, "type": "supergroup", "title": "Group", "is_forum": bool(thread)}
        return {"id": chat, "type": "private", "first_name": "U%d" % chat}

    def _serve(self, request):
        if request.path.startswith("/file/bot" + TOKEN + "/"):
            data = self.files.get(request.path.rsplit("/", 1)[1])
            request.answer_bytes(data or b"", "image/png", 200 if data else 404)
            return
        prefix = "/bot" + TOKEN + "/"
        if not request.path.startswith(prefix):
            request.answer({"ok": False, "error_code": 404, "description": "Not Found"}, 404)
            return
        method = request.path[len(prefix):]
        fields = dict(request.query)
        kind = request.headers.get("Content-Type", "")
        if "json" in kind and request.body:
            fields.update(json.loads(request.body))
        elif "multipart" in kind:
            fields.update(loopback.form(kind, request.body))
        elif "urlencoded" in kind:
            fields.update(urllib.parse.parse_qsl(request.body.decode()))
        if method == "getUpdates":
            self._updates(request, fields)
        elif method in MEDIA or method in ("sendMessage", "sendMediaGroup"):
            self._send(request, method, fields)
        else:
            request.answer({"ok": True, "result": self._other(method, fields)})

    def _updates(self, request, fields):
        offset = int(fields.get("offset", 0))
        timeout = min(int(fields.get("timeout", 0)), LONG_POLL_S)

        def waiting():
            return [u for u in self.updates if u["update_id"] >= offset]
        with self.more:
            self.looks += 1
            self.more.notify_all()
            listener = self.server._listener
            self.more.wait_for(lambda: waiting() or self.server._listener is not listener, timeout)
            found = waiting()
        request.answer({"ok": True, "result": found})

    def _send(self, request, method, fields):
        chat = int(fields["chat_id"])
        file = next((v for v in fields.values() if isinstance(v, tuple)), None)
        with self.more:
            if file:
                self.tries.append((method, chat))
                self.more.notify_all()
            for fault in self.faults:
                if fault["method"] == method and fault["count"] > 0:
                    fault["count"] -= 1
                    self._add(Message(self.now(), "-", 0, "%s fails: %s" % (
                        method, fault["status"] or "hung up")))
                    if not fault["status"]:
                        request.hang_up()
                        return
                    answer = {"ok": False, "error_code": fault["status"], "description": "of a test"}
                    answer.update(fault["more"])
                    request.answer(answer, fault["status"])
                    return
            self.number += 1
            thread = fields.get("message_thread_id")
            result = {"message_id": self.number, "date": int(time.time()),
                      "chat": self._chat(chat, thread)}
            if thread:
                result.update(message_thread_id=int(thread), is_topic_message=True)
            text = fields.get("text") or fields.get("caption") or ""
            result["caption" if file else "text"] = text
            if file:
                about = {"file_id": "out%d" % self.number, "file_unique_id": "o%d" % self.number,
                         "width": 1, "height": 1, "duration": 1}
                key = MEDIA.get(method, "document")
                result[key] = [about] if key == "photo" else about
            number = self.number
            # A group of files would be one bubble more than a test asks for: it shows as such.
            files = [v for v in fields.values() if isinstance(v, tuple)] or [None]
            for one in files:
                self._add(Message(self.now(), "bot", chat, text, method, one, number,
                                  int(thread) if thread else None))
        request.answer({"ok": True, "result": [result] if method == "sendMediaGroup" else result})

    def _other(self, method, fields):
        if method == "getMe":
            return {"id": 111, "is_bot": True, "first_name": "Test", "username": "test_bot",
                    "can_join_groups": True, "can_read_all_group_messages": True,
                    "supports_inline_queries": False}
        if method == "getFile":
            name = fields["file_id"]
            return {"file_id": name, "file_unique_id": "u" + name, "file_path": "photos/" + name,
                    "file_size": len(self.files.get(name, b""))}
        if method == "getChat":
            return self._chat(int(fields["chat_id"]))
        if method in ("editMessageText", "deleteMessage"):
            with self.more:
                (message,) = [m for m in self.messages if m.number == int(fields["message_id"])]
                if method == "deleteMessage":
                    message.removed = True
                else:
                    message.text = fields["text"]
                self.more.notify_all()
            if method == "editMessageText":
                return {"message_id": message.number, "date": int(time.time()),
                        "chat": self._chat(message.chat), "text": message.text}
        return True
