"""Requests and what they must be answered with, by revision of the protocol.

An expected answer is a pattern: an object must have at least these members, a list as many, ANY
is anything, ABSENT must not be there, a type is anything of it.
"""
import os

from server import HANDSHAKE, META, MODERN, TASKS, meta

ANY = object()
ABSENT = object()

PARSE, REQUEST, METHOD, PARAMS = -32700, -32600, -32601, -32602


def matches(value, pattern, where="answer"):
    """None, or what is wrong."""
    if pattern is ANY:
        return None
    if isinstance(pattern, type):
        return None if isinstance(value, pattern) else "%s is %r" % (where, value)
    if isinstance(pattern, dict):
        if not isinstance(value, dict):
            return "%s is %r" % (where, value)
        for name, wanted in pattern.items():
            if wanted is ABSENT and name in value:
                return "%s.%s is there" % (where, name)
            if wanted is not ABSENT and name not in value:
                return "%s.%s is not there: %r" % (where, name, value)
            if wanted is not ABSENT:
                wrong = matches(value[name], wanted, "%s.%s" % (where, name))
                if wrong:
                    return wrong
        return None
    if isinstance(pattern, list):
        if not isinstance(value, list) or len(value) != len(pattern):
            return "%s is %r" % (where, value)
        return next((w for w in (matches(v, p, "%s[%d]" % (where, i))
                                 for i, (v, p) in enumerate(zip(value, pattern))) if w), None)
    return None if value == pattern and type(value) is type(pattern) else \
        "%s is %r, not %r" % (where, value, pattern)


def result(**members):
    return {"jsonrpc": "2.0", "id": ANY, "result": members, "error": ABSENT}


def error(code, **data):
    return {"jsonrpc": "2.0", "result": ABSENT,
            "error": {"code": code, "message": str, **({"data": data} if data else {})}}


def nameless(code):
    """To what had no id that could be read."""
    return {"jsonrpc": "2.0", "id": ABSENT, "result": ABSENT, "error": {"code": code, "message": str}}


def initialize(revision):
    return ("initialize", {"protocolVersion": revision, "capabilities": {},
                           "clientInfo": {"name": "t", "version": "1"}})


TOOLS = len(os.listdir(os.path.join(os.path.dirname(__file__), "..", "..", "manifests", "tools")))
INFO = {"name": "clawmedia", "version": str}

# Lines that are no request, and what they are answered with, in every era.
BROKEN = [
    ("x", nameless(PARSE)),
    ("{", nameless(PARSE)),
    ('{"jsonrpc":"2.0","id":1,"method":"ping"}{}', nameless(PARSE)),
    ('"\\ud800', nameless(PARSE)),
    ('{"jsonrpc":"2.0","id":"\\udc00","method":7}', {"id": "\ufffd", "error": {"code": REQUEST}}),
    (b'{"a":"\xff"}', nameless(PARSE)),
    ("[" * 5000, nameless(PARSE)),
    ("null", nameless(REQUEST)),
    ("17", nameless(REQUEST)),
    ("{}", nameless(REQUEST)),
    ('{"id":1,"method":"ping"}', {"id": 1, "error": {"code": REQUEST}}),
    ('{"jsonrpc":"1.0","id":1,"method":"ping"}', {"id": 1, "error": {"code": REQUEST}}),
    ('{"jsonrpc":"2.0","id":null,"method":"ping"}', nameless(REQUEST)),
    ('{"jsonrpc":"2.0","id":1.5,"method":"ping"}', nameless(REQUEST)),
    ('{"jsonrpc":"2.0","id":{},"method":"ping"}', nameless(REQUEST)),
    ('{"jsonrpc":"2.0","id":5}', {"id": 5, "error": {"code": REQUEST}}),
    ('{"jsonrpc":"2.0","id":"m","method":7}', {"id": "m", "error": {"code": REQUEST}}),
    ('{"jsonrpc":"2.0","id":"p","method":"ping","params":[1]}', {"id": "p", "error": {"code": PARAMS}}),
]

# Answered with nothing at all.
SILENT = [
    "", "   ", "\r", "\t",
    '{"jsonrpc":"2.0","method":"notifications/whatever"}',
    '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"list_models"}}',
    '{"jsonrpc":"2.0","method":"notifications/cancelled"}',
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"nobody"}}',
    '{"jsonrpc":"2.0","id":"not-asked","result":{}}',
    '{"jsonrpc":"2.0","id":"not-asked","error":{"code":1,"message":"x"}}',
]


def _handshake(revision):
    structured = revision >= "2025-06-18"
    titled = {"title": str} if structured else {"title": ABSENT}
    hints = {"annotations": {"readOnlyHint": bool}} if revision >= "2025-03-26" else {"annotations": ABSENT}
    return [
        (("ping", None), result()),
        (("tools/list", None), error(PARAMS)),
        (initialize(revision), result(protocolVersion=revision, serverInfo=INFO,
                                      capabilities={"tools": {"listChanged": True}, "resources": {}},
                                      resultType=ABSENT, _meta=ABSENT)),
        (initialize(revision), error(REQUEST)),
        (("ping", None), result()),
        (("tools/list", {}), result(nextCursor=ABSENT, ttlMs=ABSENT, tools=[
            {"name": str, "description": str, "inputSchema": {"type": "object", "properties": dict},
             "outputSchema": dict if structured else ABSENT, **titled, **hints}] * TOOLS)),
        (("tools/list", {"cursor": "x"}), error(PARAMS)),
        (("tools/call", {"name": "list_models"}),
         result(content=list, isError=False,
                structuredContent={"status": "ok"} if structured else ABSENT)),
        (("tools/call", {"name": "poll", "arguments": {"job": "job_none"}}), result(isError=True)),
        (("tools/call", {"name": "poll", "arguments": {"color": "red"}}), result(isError=True)),
        (("tools/call", {"name": "nope"}), error(PARAMS)),
        (("tools/call", {}), error(PARAMS)),
        (("tools/call", None), error(PARAMS)),
        (("tools/call", {"name": "poll", "arguments": []}), error(PARAMS)),
        (("resources/list", None), result(resources=[])),
        (("resources/templates/list", None), result(resourceTemplates=[])),
        (("resources/read", {"uri": "file:///etc/passwd"}), error(-32002, uri="file:///etc/passwd")),
        (("resources/read", {}), error(PARAMS)),
        (("prompts/list", None), error(METHOD)),
        (("server/discover", None), error(METHOD)),
        (("tasks/get", {"taskId": "job_none"}),
         error(PARAMS if revision == "2025-11-25" else METHOD)),
        (("tasks/list", None),
         result(tasks=[]) if revision == "2025-11-25" else error(METHOD)),
    ]


def _modern():
    def with_meta(method, **params):
        return method, dict(params, _meta=meta())
    done = {"resultType": "complete", "_meta": {META + "serverInfo": INFO}}
    kept = dict(done, ttlMs=int, cacheScope="private")
    no_client = {META + "protocolVersion": MODERN}
    return [
        (with_meta("server/discover"),
         result(supportedVersions=[MODERN, *reversed(HANDSHAKE)],
                capabilities={"tools": {"listChanged": True}, "resources": {},
                              "extensions": {TASKS: {}}}, **kept)),
        (("server/discover", None), error(PARAMS)),
        (("server/discover", {"_meta": 5}), error(PARAMS)),
        (("server/discover", {"_meta": no_client}), error(PARAMS)),
        (("server/discover", {"_meta": {META + "clientCapabilities": {}}}), error(PARAMS)),
        (("server/discover", {"_meta": meta(revision=7)}), error(PARAMS)),
        (("tools/list", {"_meta": meta(revision="1900-01-01")}),
         error(-32022, supported=[MODERN, *reversed(HANDSHAKE)], requested="1900-01-01")),
        (("tools/list", {"_meta": meta(revision="2025-11-25")}), error(-32022, supported=list)),
        (with_meta("tools/list"), result(tools=[{"name": str, "title": str, "inputSchema": dict,
                                                 "outputSchema": dict, "annotations": dict,
                                                 "execution": ABSENT}] * TOOLS, **kept)),
        (with_meta("tools/call", name="list_models"),
         result(structuredContent={"status": "ok"}, isError=False, **done)),
        (with_meta("tools/call", name="nope"), error(PARAMS)),
        (with_meta("resources/list"), result(resources=[], **kept)),
        (with_meta("resources/templates/list"), result(resourceTemplates=[], **kept)),
        (with_meta("resources/read", uri="file:///etc/passwd"), error(PARAMS, uri=str)),
        (with_meta("ping"), error(METHOD)),
        (with_meta("initialize", protocolVersion=MODERN), error(METHOD)),
        (with_meta("logging/setLevel", level="debug"), error(METHOD)),
        (with_meta("tasks/get", taskId="job_none"),
         error(-32021, requiredCapabilities={"extensions": {TASKS: {}}})),
        (("tasks/get", {"taskId": "job_none", "_meta": meta([TASKS])}), error(PARAMS)),
        (("tasks/cancel", {"taskId": "job_none", "_meta": meta([TASKS])}), error(PARAMS)),
        (("tasks/update", {"taskId": "job_none", "inputResponses": {}, "_meta": meta([TASKS])}),
         error(PARAMS)),
        (("tasks/get", {"taskId": 5, "_meta": meta([TASKS])}), error(PARAMS)),
        (("tasks/list", {"_meta": meta([TASKS])}), error(METHOD)),
        (("tasks/result", {"taskId": "job_none", "_meta": meta([TASKS])}), error(METHOD)),
        (with_meta("subscriptions/listen", notifications={"taskIds": ["job_none"]}),
         error(-32021, requiredCapabilities=dict)),
        (with_meta("subscriptions/listen"), error(PARAMS)),
    ]


EXCHANGES = {**{revision: _handshake(revision) for revision in HANDSHAKE}, MODERN: _modern()}
