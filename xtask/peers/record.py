"""Records what a server answers, byte by byte, for the tests of the decoder.

    python3 xtask/peers/record.py aimock http://127.0.0.1:4010 FOLDER [NAME ..]
    python3 xtask/peers/record.py openrouter http://127.0.0.1:4010/api FOLDER [NAME ..]
    python3 xtask/peers/record.py llama http://127.0.0.1:8123 FOLDER [NAME ..]
    python3 xtask/peers/record.py FORMAT http://127.0.0.1:4010 FOLDER/FORMAT [NAME ..]

FORMAT is one of responses, azure, anthropic, gemini and ollama, in which aimock is asked for the scenes below. Writes
FOLDER/PEER-NAME.http: the status line, the headers and the body as they came, chunk sizes included. Nothing is
parsed or repaired, so that a recording may be cut short or wrong, as its server was. Only the path of a Python library
in an error message gives way to as many dots, because it tells of the machine.
"""

import json
import pathlib
import re
import socket
import sys
import urllib.parse

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["location"],
        },
    },
}
# A model of random weights finds no end of a string, so that what it is forced to fill in has none.
LAMP = {
    "type": "function",
    "function": {
        "name": "set_lamp",
        "description": "Switches a lamp",
        "parameters": {
            "type": "object",
            "properties": {"room": {"enum": ["kitchen", "hall"]}, "on": {"type": "boolean"}},
            "required": ["room", "on"],
        },
    },
}
LAMP_FORCED = {"tools": [LAMP], "tool_choice": {"type": "function", "function": {"name": "set_lamp"}}}
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}, "n": {"type": "integer"}},
    "required": ["ok", "n"],
    "additionalProperties": False,
}
SCHEMA_OF_OPENAI = {"response_format": {"type": "json_schema", "json_schema": {"name": "verdict", "schema": SCHEMA}}}
SCHEMA_OF_LLAMA = {"response_format": {"type": "json_object", "schema": SCHEMA}}


def ask(words, **more):
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": words}], **more}


def stream(words, **more):
    return ask(words, stream=True, **more)


USAGE = {"stream_options": {"include_usage": True}}
SMALL = {"max_tokens": 24, "temperature": 0, "seed": 7}
SMALL_TASK = {**SMALL, "max_tokens": 64}

# Of aimock, the words choose the answer: see aimock.json beside the recordings.
AIMOCK = {
    "text": ask("hello"),
    "text-stream": stream("hello"),
    "text-stream-usage": stream("hello", **USAGE),
    "usage-details": ask("count the tokens"),
    "usage-details-stream": stream("count the tokens", **USAGE),
    "scripts-stream": stream("greetings in many scripts"),
    "split-surrogates-stream": stream("emoji"),
    "tool-call": ask("weather", tools=[WEATHER]),
    "tool-call-stream": stream("weather", tools=[WEATHER], **USAGE),
    "tool-calls": ask("compare", tools=[WEATHER]),
    "tool-calls-stream": stream("compare", tools=[WEATHER], **USAGE),
    "text-and-tool-call": ask("explain", tools=[WEATHER]),
    "text-and-tool-call-stream": stream("explain", tools=[WEATHER]),
    "interleaved-stream": stream("interleave", tools=[WEATHER]),
    "broken-arguments-stream": stream("broken arguments", tools=[WEATHER]),
    "reasoning": ask("think"),
    "reasoning-stream": stream("think", **USAGE),
    "reasoning-and-tool-call-stream": stream("plan", tools=[WEATHER]),
    "length-stream": stream("no end"),
    "content-filter-stream": stream("forbidden"),
    "empty-stream": stream("silent"),
    "cut-text-stream": stream("cut the text"),
    "cut-call-stream": stream("cut the call", tools=[WEATHER]),
    "error-429": ask("busy"),
    "error-503": stream("overloaded"),
    "error-context": stream("too long"),
    "error-401": ask("bad key"),
    "error-no-fixture": stream("what nobody has an answer to"),
    "error-no-json": b'{"model": "gpt-4o", "messages": [',
    "chaos-drop": (stream("hello"), {"x-aimock-chaos-drop": "1"}),
    "chaos-malformed": (ask("hello"), {"x-aimock-chaos-malformed": "1"}),
    "chaos-malformed-stream": (stream("hello"), {"x-aimock-chaos-malformed": "1"}),
    "chaos-disconnect": (stream("hello"), {"x-aimock-chaos-disconnect": "1"}),
    "chaos-ratelimit": (stream("hello"), {"x-aimock-chaos-ratelimit": "1"}),
}

# aimock again, under the path by which it answers as OpenRouter does.
OPENROUTER = {
    "usage-details": ask("count the tokens"),
    "usage-details-stream": stream("count the tokens", **USAGE),
    "reasoning-stream": stream("think"),
    "tool-calls-stream": stream("compare", tools=[WEATHER]),
    "error-429": ask("busy"),
}

LLAMA = {
    "text": ask("hello", **SMALL),
    "text-stream": stream("hello", **SMALL),
    "text-stream-usage": stream("hello", **SMALL, **USAGE),
    "scripts-stream": stream("你好, привет, 👍", **SMALL),
    "stop": ask("hello", **SMALL, stop=["a", "e"]),
    "schema": ask("hello", **SMALL_TASK, **SCHEMA_OF_LLAMA),
    "schema-stream": stream("hello", **SMALL_TASK, **SCHEMA_OF_LLAMA),
    "forced-tool": ask("lamp", **SMALL_TASK, **LAMP_FORCED),
    "forced-tool-stream": stream("lamp", **SMALL_TASK, **LAMP_FORCED),
    "forced-tool-cut": ask("lamp", **{**SMALL, "max_tokens": 6}, **LAMP_FORCED),
    "forced-tool-cut-stream": stream("lamp", **{**SMALL, "max_tokens": 6}, **LAMP_FORCED),
    "error-schema": ask("hello", **SMALL, **SCHEMA_OF_OPENAI),
    "error-context": ask("word " * 600, **SMALL),
    "error-context-stream": stream("word " * 600, **SMALL),
    "error-no-json": b'{"model": "gpt-4o", "messages": [',
    "error-messages": {"model": "gpt-4o", "messages": "hello"},
}


# aimock in the other formats: words, whether there are tools, and in which ways to ask.
BOTH, STREAM, WHOLE = (False, True), (True,), (False,)
SCENES = {
    "text": ("hello", False, BOTH),
    "usage-details": ("count the tokens", False, BOTH),
    "scripts": ("greetings in many scripts", False, STREAM),
    "split-surrogates": ("emoji", False, STREAM),
    "tool-call": ("weather", True, BOTH),
    "tool-calls": ("compare", True, BOTH),
    "text-and-tool-call": ("explain", True, BOTH),
    "interleaved": ("interleave", True, BOTH),
    "broken-arguments": ("broken arguments", True, BOTH),
    "reasoning": ("think", False, BOTH),
    "reasoning-and-tool-call": ("plan", True, BOTH),
    "length": ("no end", False, BOTH),
    "content-filter": ("forbidden", False, BOTH),
    "empty": ("silent", False, BOTH),
    "cut-text": ("cut the text", False, STREAM),
    "cut-call": ("cut the call", True, STREAM),
    "error-429": ("busy", False, BOTH),
    "error-503": ("overloaded", False, WHOLE),
    "error-context": ("too long", False, WHOLE),
    "error-401": ("bad key", False, WHOLE),
    "error-no-fixture": ("what nobody has an answer to", False, WHOLE),
}
CHAOS = {"drop": WHOLE, "malformed": BOTH, "disconnect": STREAM, "ratelimit": WHOLE}


def body_of(format, words, tools, streams):
    """The request as the format writes it, and the path that it goes to."""
    function, user = WEATHER["function"], {"role": "user", "content": words}
    if format == "azure":
        body = stream(words, **USAGE) if streams else ask(words)
        del body["model"]
        return "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", {**body, **({"tools": [WEATHER]} if tools else {})}
    if format == "responses":
        flat = {"tools": [{"type": "function", **function}]} if tools else {}
        return "/v1/responses", {"model": "gpt-4o", "input": [user], "stream": streams, **flat}
    if format == "anthropic":
        schema = {"name": function["name"], "description": function["description"], "input_schema": function["parameters"]}
        tool = {"tools": [schema]} if tools else {}
        return "/v1/messages", {"model": "claude-sonnet-4-5", "max_tokens": 1024, "messages": [user], "stream": streams, **tool}
    if format == "gemini":
        tool = {"tools": [{"functionDeclarations": [function]}]} if tools else {}
        verb = "streamGenerateContent?alt=sse" if streams else "generateContent"
        contents = [{"role": "user", "parts": [{"text": words}]}]
        return f"/v1beta/models/gemini-2.5-flash:{verb}", {"contents": contents, **tool}
    tool = {"tools": [WEATHER]} if tools else {}
    return "/api/chat", {"model": "qwen3", "messages": [user], "stream": streams, **tool}


def scenes(format):
    requests = {}
    for name, (words, tools, ways) in SCENES.items():
        for streams in ways:
            path, body = body_of(format, words, tools, streams)
            requests[f"aimock-{name}{'-stream' if streams else ''}"] = (body, {}, path)
    path, _ = body_of(format, "hello", False, False)
    requests["aimock-error-no-json"] = (b'{"model": "any", "messages": [', {}, path)
    for name, ways in CHAOS.items():
        for streams in ways:
            path, body = body_of(format, "hello", False, streams)
            requests[f"aimock-chaos-{name}{'-stream' if streams else ''}"] = (body, {f"x-aimock-chaos-{name}": "1"}, path)
    return requests


def record(base, request):
    body, *more = request if isinstance(request, tuple) else (request,)
    headers, path = (*more, *({}, "/v1/chat/completions")[len(more) :])
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = urllib.parse.urlsplit(base)
    lines = [
        f"POST {url.path}{path} HTTP/1.1",
        f"Host: {url.netloc}",
        "Content-Type: application/json",
        "Authorization: Bearer none",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    answer = b""
    with socket.create_connection((url.hostname, url.port), timeout=120) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        try:
            # A server that keeps the connection for another request has said all with its last chunk.
            while not answer.endswith(b"\r\n0\r\n\r\n") and (part := connection.recv(65536)):
                answer += part
        except ConnectionResetError:
            pass
    return re.sub(rb'/[^" ]*(?=/site-packages/)', lambda path: b"." * len(path[0]), answer)


def main(peer, base, folder, *names):
    known = {"aimock": AIMOCK, "openrouter": OPENROUTER, "llama": LLAMA}.get(peer)
    requests = {f"{peer}-{name}": request for name, request in known.items()} if known else scenes(peer)
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names or requests:
        answer = record(base, requests[name])
        path = pathlib.Path(folder, f"{name}.http")
        path.write_bytes(answer)
        print(f"{path.name}: {len(answer)} bytes, {answer.splitlines()[:1]}")


main(*sys.argv[1:])
