"""What the official SDK of OpenAI makes of our test server: python openai_sdk.py FUNCTION BASE_URL."""

import sys
from typing import Literal, Optional

import openai
import pydantic

client = openai.OpenAI(base_url=sys.argv[2], api_key="any", max_retries=0)
chat = client.chat.completions

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"location": {"type": "string"}},
                "required": ["location"],
                "additionalProperties": False,
            },
            "strict": True,
        },
    }
]


def ask(words, **more):
    return chat.create(model="scripted", messages=[{"role": "user", "content": words}], **more)


def equal(one, other):
    assert one == other, f"{one!r} is not {other!r}"


def whole():
    completion = ask("hello")
    equal(completion.object, "chat.completion")
    equal(completion.choices[0].message.content, "Grüße, 你好, 👍🏽")
    equal(completion.choices[0].finish_reason, "stop")
    equal((completion.usage.prompt_tokens, completion.usage.completion_tokens, completion.usage.total_tokens), (9, 4, 13))
    equal(completion.usage.prompt_tokens_details.cached_tokens, 3)
    equal(completion.usage.completion_tokens_details.reasoning_tokens, 2)
    equal(ask("think").choices[0].message.reasoning_content, "Let me think.")
    equal(ask("refuse").choices[0].message.refusal, "I must not.")
    equal(ask("no end").choices[0].finish_reason, "length")
    # The server's own models, of which the SDK makes a page.
    equal([model.id for model in client.models.list()], ["scripted"])


def streamed():
    chunks = list(ask("hello", stream=True, stream_options={"include_usage": True}))
    equal({chunk.object for chunk in chunks}, {"chat.completion.chunk"})
    equal(len({chunk.id for chunk in chunks}), 1)
    words = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert len(words) > 2, words
    equal("".join(words), "Grüße, 你好, 👍🏽")
    equal((chunks[-1].choices, chunks[-1].usage.total_tokens), ([], 13))
    assert all(chunk.usage is None for chunk in ask("hello", stream=True)), "nobody asked for usage"
    for words, said in [("crlf", "lines"), ("comments", "kept alive"), ("byte-by-byte", "Hello, world.")]:
        chunks = ask(words, stream=True)
        equal("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), said)


def tools():
    for words, places in [("weather", ["Paris"]), ("compare", ["Paris", "Oslo"])]:
        question = [{"role": "user", "content": words}]
        message = ask(words, tools=TOOLS).choices[0].message
        with chat.stream(model="scripted", messages=question, tools=TOOLS) as stream:
            done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
            streamed = stream.get_final_completion().choices[0].message
        equal([call.function.parsed_arguments for call in streamed.tool_calls], [{"location": place} for place in places])
        equal([event.parsed_arguments["location"] for event in done], places)
        equal([call.id for call in streamed.tool_calls], [call.id for call in message.tool_calls])
        equal(
            [call.function.arguments for call in streamed.tool_calls],
            [call.function.arguments for call in message.tool_calls],
        )
        results = [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in message.tool_calls]
        # What the SDK read is what it sends back.
        answer = chat.create(
            model="scripted", messages=[*question, message.model_dump(exclude_none=True), *results], tools=TOOLS
        )
        equal(answer.choices[0].message.content, "The tool says tool: sunny")


class Verdict(pydantic.BaseModel):
    ok: bool
    kind: Literal["a", "b"]
    reasons: list[str]
    next: Optional[int]


def parsed():
    messages = [{"role": "user", "content": "schema"}]
    completion = chat.parse(model="scripted", messages=messages, response_format=Verdict)
    assert isinstance(completion.choices[0].message.parsed, Verdict), completion
    with chat.stream(model="scripted", messages=messages, response_format=Verdict) as stream:
        stream.until_done()
        streamed = stream.get_final_completion()
    equal(streamed.choices[0].message.parsed, completion.choices[0].message.parsed)


def errors():
    cases = {
        "unauthorized": openai.AuthenticationError,
        "no-such-model": openai.NotFoundError,
        "too-long": openai.BadRequestError,
        "rate-limited": openai.RateLimitError,
        "no-quota": openai.RateLimitError,
        "internal": openai.InternalServerError,
        "overloaded": openai.InternalServerError,
        "html-502": openai.InternalServerError,
        "reset-first": openai.APIConnectionError,
        "close-first": openai.APIConnectionError,
    }
    for words, kind in cases.items():
        for stream in [False, True]:
            try:
                ask(words, stream=stream)
            except openai.APIError as error:
                equal((words, type(error)), (words, kind))
            else:
                raise AssertionError(f"{words} passes")
    try:
        ask("too-long")
    except openai.BadRequestError as error:
        equal(error.code, "context_length_exceeded")
    # A wrong request does not get as far as the script.
    try:
        ask("hello", temperature=3)
    except openai.BadRequestError as error:
        equal(error.param, "temperature")
    else:
        raise AssertionError("a temperature of 3 passes")
    # An error in the middle of a stream.
    try:
        list(ask("error-in-band", stream=True))
    except openai.APIError as error:
        equal(error.message, "The server is overloaded.")
    else:
        raise AssertionError("an error in the stream passes")
    try:
        client.models.list(extra_headers={"Authorization": openai.Omit()})
    except openai.AuthenticationError:
        pass
    else:
        raise AssertionError("no key passes")


{"whole": whole, "streamed": streamed, "tools": tools, "parsed": parsed, "errors": errors}[sys.argv[1]]()
print("ok")
