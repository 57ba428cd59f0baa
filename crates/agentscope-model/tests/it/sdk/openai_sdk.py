"""What the official SDK of OpenAI makes of our test server: python openai_sdk.py FUNCTION BASE_URL."""

import pathlib
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
        equal(answer.choices[0].message.content, "The tool says sunny")


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


# The same server by OpenAI's responses.

FLAT = [{"type": "function", **TOOLS[0]["function"]}]
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def respond(words, by=client, **more):
    return by.responses.create(**{"model": "scripted", "input": words, **more})


def responded(words, **more):
    """What the SDK puts together from the events, and their types."""
    with client.responses.stream(**{"model": "scripted", "input": words, **more}) as stream:
        kinds = [event.type for event in stream]
        return stream.get_final_response(), kinds


def responses():
    answer = respond("hello", instructions="Be brief.", max_output_tokens=100)
    equal((answer.output_text, answer.status), ("Grüße, 你好, 👍🏽", "completed"))
    equal((answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens), (9, 4, 13))
    equal(answer.usage.input_tokens_details.cached_tokens, 3)
    equal(answer.usage.output_tokens_details.reasoning_tokens, 2)
    cut = respond("no end")
    equal((cut.status, cut.incomplete_details.reason), ("incomplete", "max_output_tokens"))
    equal(respond("refuse").output[0].content[0].refusal, "I must not.")
    parts = [{"type": "input_image", "image_url": PIXEL, "detail": "auto"}, {"type": "input_text", "text": "look"}]
    equal(respond([{"role": "user", "content": parts}]).output_text, "I see image/png, 70 bytes")
    streamed, kinds = responded("hello")
    equal((streamed.output_text, streamed.usage.total_tokens), ("Grüße, 你好, 👍🏽", 13))
    equal((kinds[0], kinds[-1]), ("response.created", "response.completed"))
    assert kinds.count("response.output_text.delta") > 2, kinds
    for words in ["refuse", "comments"]:
        equal(responded(words)[1][-1], "response.completed")
    # The SDK's helper takes no other end than that.
    equal(list(respond("no end", stream=True))[-1].type, "response.incomplete")
    events = list(respond("think", stream=True))
    equal([event.sequence_number for event in events], list(range(len(events))))


def responses_tools():
    for words, places in [("weather", ["Paris"]), ("compare", ["Paris", "Oslo"]), ("plan", ["Paris"])]:
        more = {"tools": FLAT, "include": ["reasoning.encrypted_content"], "store": False}
        answer = respond(words, **more)
        streamed, kinds = responded(words, **more)
        equal([item.type for item in streamed.output], [item.type for item in answer.output])
        calls = [item for item in streamed.output if item.type == "function_call"]
        equal([call.parsed_arguments for call in calls], [{"location": place} for place in places])
        equal(kinds.count("response.function_call_arguments.done"), len(places))
        results = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"} for call in calls]
        # What the SDK read is what it sends back.
        items = [item.model_dump(exclude_none=True) for item in answer.output]
        equal(respond([{"role": "user", "content": words}, *items, *results], **more).output_text, "The tool says sunny")
    forced = respond("schema", tools=FLAT, tool_choice={"type": "function", "name": "get_weather"})
    equal(forced.output[0].arguments, '{"location":"xxx"}')


def responses_parsed():
    answer = client.responses.parse(model="scripted", input="schema", text_format=Verdict)
    assert isinstance(answer.output_parsed, Verdict), answer
    equal(responded("schema", text_format=Verdict)[0].output_parsed, answer.output_parsed)


def responses_thinking():
    more = {"reasoning": {"effort": "low", "summary": "auto"}}
    for answer in [respond("think", **more), responded("think", **more)[0]]:
        equal([item.type for item in answer.output], ["reasoning", "message"])
        equal(answer.output[0].summary[0].text, "Let me think.")


def responses_errors():
    cases = {
        "unauthorized": openai.AuthenticationError,
        "no-such-model": openai.NotFoundError,
        "too-long": openai.BadRequestError,
        "rate-limited": openai.RateLimitError,
        "overloaded": openai.InternalServerError,
    }
    for words, kind in cases.items():
        for stream in [False, True]:
            try:
                respond(words, stream=stream)
            except openai.APIError as error:
                equal((words, type(error)), (words, kind))
            else:
                raise AssertionError(f"{words} passes")
    for more in [{"temperature": 3}, {"input": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}]:
        try:
            respond("hello", **more)
        except openai.BadRequestError:
            pass
        else:
            raise AssertionError(f"{more} passes")
    # To the SDK, an error in the stream is one more event.
    last = list(respond("error-in-band", stream=True))[-1]
    equal((last.type, last.message), ("error", "The server is overloaded."))


def references():
    """Each answer built after the reference is read, or is an error where its name says so."""
    for path in sorted((pathlib.Path(__file__).parents[2] / "fixtures/reference/responses").glob("*.http")):
        words = f"reference responses/{path.stem}"
        try:
            # The SDK's helper takes no other end than `completed`.
            read = list(respond(words, stream=True))[-1] if "stream" in path.stem else respond(words)
            failed = getattr(read, "type", None) == "error"
        except openai.APIError:
            failed = True
        equal((path.stem, failed), (path.stem, "error" in path.stem))


def azure():
    origin = sys.argv[2].removesuffix("/v1")
    azure = openai.AzureOpenAI(azure_endpoint=origin, api_version="2024-10-21", api_key="any", max_retries=0)
    question = [{"role": "user", "content": "hello"}]
    completion = azure.chat.completions.create(model="deployed", messages=question)
    equal(completion.choices[0].message.content, "Grüße, 你好, 👍🏽")
    chunks = list(azure.chat.completions.create(model="deployed", messages=question, stream=True))
    equal("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), "Grüße, 你好, 👍🏽")
    try:
        azure.chat.completions.create(model="deployed", messages=[{"role": "user", "content": "unauthorized"}])
    except openai.AuthenticationError as error:
        equal(error.body["code"], "401")
    # The version of the API that needs no version, with the key as a bearer's.
    newer = openai.OpenAI(base_url=f"{origin}/openai/v1/", api_key="any", max_retries=0)
    equal(newer.chat.completions.create(model="deployed", messages=question).choices[0].message.content, "Grüße, 你好, 👍🏽")
    equal(respond("hello", by=newer).output_text, "Grüße, 你好, 👍🏽")


globals()[sys.argv[1]]()
print("ok")
