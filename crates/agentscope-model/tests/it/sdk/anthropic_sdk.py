"""What the official SDK of Anthropic makes of our test server: python anthropic_sdk.py ORIGIN."""

import pathlib
import sys
from typing import Literal, Optional

import anthropic
import pydantic

client = anthropic.Anthropic(base_url=sys.argv[1], api_key="any", max_retries=0)
messages = client.messages

TOOLS = [
    {
        "name": "get_weather",
        "description": "The weather of a place",
        "input_schema": {
            "type": "object",
            "properties": {"location": {"type": "string"}},
            "required": ["location"],
        },
    }
]
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}
# One transparent pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def ask(words, **more):
    more = {"model": "scripted", "max_tokens": 100, "messages": [{"role": "user", "content": words}], **more}
    return messages.create(**more)


def streamed_of(words, **more):
    """What the SDK puts together from the events, and their types."""
    more = {"model": "scripted", "max_tokens": 100, "messages": [{"role": "user", "content": words}], **more}
    with messages.stream(**more) as stream:
        kinds = [event.type for event in stream]
        return stream.get_final_message(), kinds


def plain(message):
    """The blocks of a message; the SDK's classes differ between a message and the end of a stream."""
    return [block.to_dict() for block in message.content]


def equal(one, other):
    assert one == other, f"{one!r} is not {other!r}"


def whole():
    message = ask("hello", system="Be brief.", stop_sequences=["END"])
    equal([block.text for block in message.content], ["Grüße, 你好, 👍🏽"])
    equal((message.stop_reason, message.role, message.type), ("end_turn", "assistant", "message"))
    usage = message.usage
    equal((usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens), (6, 3, 4))
    equal(usage.output_tokens_details.thinking_tokens, 2)
    equal(ask("no end").stop_reason, "max_tokens")
    refused = ask("refuse")
    equal((refused.stop_reason, refused.content, refused.stop_details.explanation), ("refusal", [], "I must not."))
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    url = {"type": "image", "source": {"type": "url", "url": "https://a.org/b.png"}}
    seen = ask([image, url, {"type": "text", "text": "look"}]).content[0].text
    equal(seen, "I see image/png, 70 bytes; image https://a.org/b.png")
    equal([model.id for model in client.models.list()], ["scripted"])
    counted = messages.count_tokens(model="scripted", messages=[{"role": "user", "content": "hello"}])
    assert counted.input_tokens > 0, counted


def streamed():
    message, kinds = streamed_of("hello")
    equal(message.content[0].text, "Grüße, 你好, 👍🏽")
    assert kinds.count("text") > 2, kinds
    equal((kinds[0], kinds[-1]), ("message_start", "message_stop"))
    equal((message.stop_reason, message.usage.input_tokens, message.usage.output_tokens), ("end_turn", 6, 4))
    equal(message.usage.cache_read_input_tokens, 3)
    equal(streamed_of("no end")[0].stop_reason, "max_tokens")
    equal(streamed_of("refuse")[0].stop_details.explanation, "I must not.")
    for words, said in [("crlf", "lines"), ("comments", "kept alive"), ("byte-by-byte", "Hello, world.")]:
        equal(streamed_of(words)[0].content[0].text, said)
    equal(streamed_of("empty-choices")[0].content[0].text, "Hello, world.")


def thinking():
    for words, kinds in [("think", ["thinking", "text"]), ("think in secret", ["redacted_thinking", "text"])]:
        message = ask(words, **THINKING)
        equal([block.type for block in message.content], kinds)
        equal(plain(streamed_of(words, **THINKING)[0]), plain(message))
        # What was thought goes back as it came.
        again = [{"role": "user", "content": words}, {"role": "assistant", "content": message.content}]
        answer = ask("", **THINKING, messages=[*again, {"role": "user", "content": "remember"}])
        thoughts = "Let me think." if words == "think" else ""
        equal(answer.content[0].text, f"You thought: {thoughts}")
    message = ask("think", **THINKING)
    message.content[0].signature = "forged"
    again = [{"role": "user", "content": "think"}, {"role": "assistant", "content": message.content}]
    refused("signature", messages=[*again, {"role": "user", "content": "hello"}])


def tools():
    for words, places in [("weather", ["Paris"]), ("compare", ["Paris", "Oslo"]), ("plan", ["Paris"])]:
        more = {"tools": TOOLS, **(THINKING if words == "plan" else {})}
        message = ask(words, **more)
        streamed = streamed_of(words, **more)[0]
        equal(plain(streamed), plain(message))
        equal((message.stop_reason, streamed.stop_reason), ("tool_use", "tool_use"))
        calls = [block for block in message.content if block.type == "tool_use"]
        equal([call.input for call in calls], [{"location": place} for place in places])
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"} for call in calls]
        question = [{"role": "user", "content": words}, {"role": "assistant", "content": message.content}]
        answer = ask("", **more | {"messages": [*question, {"role": "user", "content": results}]})
        equal(answer.content[0].text, "The tool says sunny")
    forced = ask("schema", tools=TOOLS, tool_choice={"type": "tool", "name": "get_weather"})
    equal(forced.content[0].input, {"location": "xxx"})


class Verdict(pydantic.BaseModel):
    ok: bool
    kind: Literal["a", "b"]
    reasons: list[str]
    next: Optional[int]


def parsed():
    question = [{"role": "user", "content": "schema"}]
    message = messages.parse(model="scripted", max_tokens=100, messages=question, output_format=Verdict)
    assert isinstance(message.parsed_output, Verdict), message
    with messages.stream(model="scripted", max_tokens=100, messages=question, output_format=Verdict) as stream:
        equal(stream.get_final_message().parsed_output, message.parsed_output)


def refused(words, **more):
    try:
        ask("hello", **more)
    except anthropic.BadRequestError as error:
        assert words in error.message, error
    else:
        raise AssertionError(f"{words} passes")


def errors():
    cases = {
        "unauthorized": anthropic.AuthenticationError,
        "no-such-model": anthropic.NotFoundError,
        "too-long": anthropic.BadRequestError,
        "rate-limited": anthropic.RateLimitError,
        "internal": anthropic.InternalServerError,
        "overloaded": anthropic.OverloadedError,
        "html-502": anthropic.InternalServerError,
        "reset-first": anthropic.APIConnectionError,
        "close-first": anthropic.APIConnectionError,
    }
    for words, kind in cases.items():
        for stream in [False, True]:
            try:
                ask(words, stream=stream)
            except anthropic.APIError as error:
                assert isinstance(error, kind), (words, type(error))
            else:
                raise AssertionError(f"{words} passes")
    try:
        ask("too-long")
    except anthropic.BadRequestError as error:
        equal(error.body["error"]["type"], "invalid_request_error")
        assert "prompt is too long" in error.message, error
    try:
        streamed_of("error-in-band")
    except anthropic.APIStatusError as error:
        equal(error.body["error"]["type"], "overloaded_error")
    else:
        raise AssertionError("an error in the stream passes")
    # A wrong request does not get as far as the script.
    refused("temperature", extra_body={"temperature": 1})
    old = {"anthropic-version": "2023-06-01"}
    refused("temperature", extra_body={"temperature": 2}, extra_headers=old)
    equal(ask("hello", extra_body={"temperature": 0.5}, extra_headers=old).stop_reason, "end_turn")
    refused("tool_use", messages=[
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": {}}]},
        {"role": "user", "content": "hello"},
    ])


def references():
    """Each answer built after the reference is read, or is an error where its name says so."""
    for path in sorted((pathlib.Path(__file__).parents[2] / "fixtures/reference/anthropic").glob("*.http")):
        words = f"reference anthropic/{path.stem}"
        try:
            streamed_of(words) if "stream" in path.stem else ask(words)
            failed = False
        except anthropic.APIError:
            failed = True
        equal((path.stem, failed), (path.stem, "error" in path.stem))


for case in [whole, streamed, thinking, tools, parsed, errors, references]:
    case()
print("ok")
