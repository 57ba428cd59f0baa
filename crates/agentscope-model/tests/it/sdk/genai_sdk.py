"""What Google's SDK `google-genai` makes of our test server: python genai_sdk.py ORIGIN."""

import base64
import pathlib
import sys
from typing import Literal

import pydantic
from google import genai
from google.genai import errors as failures
from google.genai import types

# The SDK asks `v1` by default, of which the tests have a case of their own.
client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=sys.argv[1], api_version="v1beta"))
models = client.models

WEATHER = types.FunctionDeclaration(
    name="get_weather",
    description="The weather of a place",
    parameters_json_schema={
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
        "additionalProperties": False,
    },
)
TOOLS = [types.Tool(function_declarations=[WEATHER])]
NO_CALLS = types.AutomaticFunctionCallingConfig(disable=True)
# One transparent pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def config(**more):
    return types.GenerateContentConfig(automatic_function_calling=NO_CALLS, **more)


def ask(words, **more):
    return models.generate_content(model="scripted", contents=words, config=config(**more))


def chunks(words, **more):
    return list(models.generate_content_stream(model="scripted", contents=words, config=config(**more)))


def equal(one, other):
    assert one == other, f"{one!r} is not {other!r}"


def user(words):
    return types.Content(role="user", parts=[types.Part(text=words)])


def parts_of(words, **more):
    return [part for chunk in chunks(words, **more) for part in chunk.candidates[0].content.parts or []]


def whole():
    answer = ask("hello", system_instruction="Be brief.", temperature=0.5, stop_sequences=["END"])
    equal((answer.text, answer.candidates[0].finish_reason), ("Grüße, 你好, 👍🏽", types.FinishReason.STOP))
    usage = answer.usage_metadata
    equal((usage.prompt_token_count, usage.candidates_token_count, usage.total_token_count), (9, 2, 13))
    equal((usage.cached_content_token_count, usage.thoughts_token_count), (3, 2))
    equal(ask("no end").candidates[0].finish_reason, types.FinishReason.MAX_TOKENS)
    equal(ask("refuse").candidates[0].finish_reason, types.FinishReason.SAFETY)
    image = types.Part.from_bytes(data=base64.b64decode(PIXEL), mime_type="image/png")
    url = types.Part.from_uri(file_uri="https://a.org/b.png", mime_type="image/png")
    equal(ask([image, url, "look"]).text, "I see image/png, 70 bytes; image https://a.org/b.png")
    assert models.count_tokens(model="scripted", contents="hello").total_tokens > 0
    equal([model.name for model in models.list()], ["models/scripted"])
    stable = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=sys.argv[1]))
    equal(stable.models.generate_content(model="scripted", contents="hello").text, "Grüße, 你好, 👍🏽")


def streamed():
    answers = chunks("hello")
    assert len(answers) > 2, answers
    equal("".join(answer.text or "" for answer in answers), "Grüße, 你好, 👍🏽")
    equal(answers[-1].candidates[0].finish_reason, types.FinishReason.STOP)
    equal(answers[-1].usage_metadata.total_token_count, 13)
    for words, said in [("crlf", "lines"), ("byte-by-byte", "Hello, world."), ("empty-choices", "Hello, world.")]:
        equal("".join(answer.text or "" for answer in chunks(words) if answer.candidates), said)


def thinking():
    more = {"thinking_config": types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)}
    parts = ask("think", **more).candidates[0].content.parts
    equal([(part.thought, part.text) for part in parts], [(True, "Let me think."), (None, "Well.")])
    streamed = parts_of("think", **more)
    equal("".join(part.text for part in streamed if part.thought), "Let me think.")
    equal("".join(part.text for part in streamed if not part.thought), "Well.")
    assert any(part.thought_signature for part in streamed), streamed


def tools():
    for words, places in [("weather", ["Paris"]), ("compare", ["Paris", "Oslo"]), ("plan", ["Paris"])]:
        answer = ask(words, tools=TOOLS)
        equal([call.args for call in answer.function_calls], [{"location": place} for place in places])
        streamed = [part.function_call for part in parts_of(words, tools=TOOLS) if part.function_call]
        equal(streamed, answer.function_calls)
        results = [
            types.Part.from_function_response(name=call.name, response={"output": "sunny"})
            for call in answer.function_calls
        ]
        talk = [user(words), answer.candidates[0].content, types.Content(role="user", parts=results)]
        equal(ask(talk, tools=TOOLS).text, "The tool says sunny")
    calling = types.FunctionCallingConfig(mode="ANY", allowed_function_names=["get_weather"])
    forced = ask("schema", tools=TOOLS, tool_config=types.ToolConfig(function_calling_config=calling))
    equal(forced.function_calls[0].args, {"location": "xxx"})


def automatic():
    """The SDK calls a function of Python by itself, and sends its result."""

    def get_weather(location: str) -> str:
        """The weather of a place."""
        return f"{location}: sunny"

    answer = models.generate_content(
        model="scripted", contents="compare", config=types.GenerateContentConfig(tools=[get_weather])
    )
    equal(answer.text, "The tool says Oslo: sunny")


class Verdict(pydantic.BaseModel):
    ok: bool
    kind: Literal["a", "b"]
    reasons: list[str]


def parsed():
    more = {"response_mime_type": "application/json"}
    answer = ask("schema", **more, response_schema=Verdict)
    assert isinstance(answer.parsed, Verdict), answer
    answer = ask("schema", **more, response_json_schema=Verdict.model_json_schema())
    Verdict.model_validate_json(answer.text)


def errors():
    cases = {
        "unauthorized": (failures.ClientError, 400, "INVALID_ARGUMENT"),
        "no-such-model": (failures.ClientError, 404, "NOT_FOUND"),
        "too-long": (failures.ClientError, 400, "INVALID_ARGUMENT"),
        "rate-limited": (failures.ClientError, 429, "RESOURCE_EXHAUSTED"),
        "no-quota": (failures.ClientError, 429, "RESOURCE_EXHAUSTED"),
        "internal": (failures.ServerError, 500, "INTERNAL"),
        "overloaded": (failures.ServerError, 503, "UNAVAILABLE"),
    }
    for words, wanted in cases.items():
        for way in [ask, chunks]:
            try:
                way(words)
            except failures.APIError as error:
                equal((words, type(error), error.code, error.status), (words, *wanted))
            else:
                raise AssertionError(f"{words} passes")
    try:
        ask("rate-limited-seconds")
    except failures.ClientError as error:
        equal(error.details["error"]["details"][0]["retryDelay"], "1s")
    # A wrong request does not get as far as the script.
    for more in [{"temperature": 3}, {"tools": [*TOOLS, *TOOLS]}]:
        try:
            ask("hello", **more)
        except failures.ClientError as error:
            equal(error.status, "INVALID_ARGUMENT")
        else:
            raise AssertionError(f"{more} passes")


def references():
    """Each answer built after the reference is read, or is an error where its name says so."""
    for path in sorted((pathlib.Path(__file__).parents[2] / "fixtures/reference/gemini").glob("*.http")):
        if path.stem == "array-stream":
            continue  # the SDK asks for events
        words = f"reference gemini/{path.stem}"
        try:
            chunks(words) if "stream" in path.stem else ask(words)
            failed = False
        except failures.APIError:
            failed = True
        equal((path.stem, failed), (path.stem, "error" in path.stem))


for case in [whole, streamed, thinking, tools, automatic, parsed, errors, references]:
    case()
print("ok")
