"""What Ollama's SDK makes of our test server: python ollama_sdk.py ORIGIN."""

import base64
import pathlib
import sys
from typing import Literal

import httpx
import ollama
import pydantic

client = ollama.Client(host=sys.argv[1])

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a place",
            "parameters": {
                "type": "object",
                "properties": {"location": {"type": "string"}},
                "required": ["location"],
            },
        },
    }
]
# One transparent pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def ask(words, **more):
    more = {"messages": [{"role": "user", "content": words}], **more}
    return client.chat("scripted", **more)


def streamed_of(words, **more):
    return list(ask(words, stream=True, **more))


def said(lines, field="content"):
    return "".join(getattr(line.message, field) or "" for line in lines)


def equal(one, other):
    assert one == other, f"{one!r} is not {other!r}"


def whole():
    answer = ask("hello", options={"temperature": 0.5, "num_predict": 50})
    equal((answer.message.content, answer.done, answer.done_reason), ("Grüße, 你好, 👍🏽", True, "stop"))
    equal((answer.prompt_eval_count, answer.eval_count), (9, 4))
    equal(ask("no end").done_reason, "length")
    image = {"role": "user", "content": "look", "images": [base64.b64decode(PIXEL)]}
    equal(ask("", messages=[image]).message.content, "I see image/png, 70 bytes")
    equal([model.model for model in client.list().models], ["scripted"])
    equal(len(client.embed("scripted", ["one", "two"]).embeddings), 2)


def streamed():
    lines = streamed_of("hello")
    equal((len(lines) > 2, said(lines)), (True, "Grüße, 你好, 👍🏽"))
    equal([line.done for line in lines][-2:], [False, True])
    equal((lines[-1].done_reason, lines[-1].eval_count), ("stop", 4))
    for words, text in [("crlf", "lines"), ("comments", "kept alive"), ("byte-by-byte", "Hello, world.")]:
        equal(said(streamed_of(words)), text)


def thinking():
    answer = ask("think", think=True)
    equal((answer.message.thinking, answer.message.content), ("Let me think.", "Well."))
    lines = streamed_of("think", think=True)
    equal((said(lines, "thinking"), said(lines)), ("Let me think.", "Well."))


def tools():
    for words, places in [("weather", ["Paris"]), ("compare", ["Paris", "Oslo"]), ("plan", ["Paris"])]:
        answer = ask(words, tools=TOOLS)
        wanted = [("get_weather", {"location": place}) for place in places]
        equal([(call.function.name, call.function.arguments) for call in answer.message.tool_calls], wanted)
        calls = [call for line in streamed_of(words, tools=TOOLS) for call in line.message.tool_calls or []]
        equal(calls, list(answer.message.tool_calls))
        results = [
            {"role": "tool", "tool_name": call.function.name, "content": "sunny"} for call in answer.message.tool_calls
        ]
        talk = [{"role": "user", "content": words}, answer.message, *results]
        equal(ask("", messages=talk, tools=TOOLS).message.content, "The tool says sunny")


class Verdict(pydantic.BaseModel):
    ok: bool
    kind: Literal["a", "b"]
    reasons: list[str]


def parsed():
    Verdict.model_validate_json(ask("schema", format=Verdict.model_json_schema()).message.content)


def errors():
    cases = {"unauthorized": 401, "no-such-model": 404, "too-long": 400, "rate-limited": 429, "internal": 500, "overloaded": 503}
    for words, status in cases.items():
        for way in [ask, streamed_of]:
            try:
                way(words)
            except ollama.ResponseError as error:
                equal((words, error.status_code), (words, status))
                assert error.error and "{" not in error.error, error
            else:
                raise AssertionError(f"{words} passes")
    try:
        streamed_of("error-in-band")
    except ollama.ResponseError as error:
        assert "server busy" in error.error, error
    else:
        raise AssertionError("an error in the stream passes")
    try:
        ask("reset-first")
    except (ConnectionError, httpx.HTTPError):
        pass
    # A wrong request does not get as far as the script.
    try:
        ask("hello", format="yaml")
    except (ollama.ResponseError, pydantic.ValidationError):
        pass
    else:
        raise AssertionError("a format of yaml passes")


def references():
    """Each answer built after the reference is read, or is an error where its name says so."""
    for path in sorted((pathlib.Path(__file__).parents[2] / "fixtures/reference/ollama").glob("*.http")):
        words = f"reference ollama/{path.stem}"
        try:
            streamed_of(words) if "stream" in path.stem else ask(words)
            failed = False
        except ollama.ResponseError:
            failed = True
        equal((path.stem, failed), (path.stem, "error" in path.stem))


for case in [whole, streamed, thinking, tools, parsed, errors, references]:
    case()
print("ok")
