"""What the SDK of DashScope makes of our test server: python dashscope_sdk.py ORIGIN."""

import logging
import pathlib
import sys

import dashscope

dashscope.base_http_api_url = sys.argv[1] + "/api/v1"
dashscope.api_key = "any"
logging.disable(logging.CRITICAL)

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


def ask(words, **more):
    more = {"messages": [{"role": "user", "content": words}], "result_format": "message", **more}
    return dashscope.Generation.call("scripted", **more)


def streamed_of(words, **more):
    return list(ask(words, **{"stream": True, "incremental_output": True, **more}))


def message(answer):
    equal((answer.status_code, answer.code, answer.message), (200, "", ""))
    return answer.output.choices[0].message


def equal(one, other):
    assert one == other, f"{one!r} is not {other!r}"


def whole():
    answer = ask("hello", temperature=0.5)
    equal((message(answer).content, answer.output.choices[0].finish_reason), ("Grüße, 你好, 👍🏽", "stop"))
    usage = answer.usage
    equal((usage.input_tokens, usage.output_tokens, usage.total_tokens), (9, 4, 13))
    equal(usage.prompt_tokens_details["cached_tokens"], 3)
    equal(ask("no end").output.choices[0].finish_reason, "length")
    equal(ask("hello", result_format="text").output.text, "Grüße, 你好, 👍🏽")


def streamed():
    pieces = streamed_of("hello")
    equal("".join(message(piece).content for piece in pieces), "Grüße, 你好, 👍🏽")
    reasons = [piece.output.choices[0].finish_reason for piece in pieces]
    equal((set(reasons[:-1]), reasons[-1]), ({"null"}, "stop"))
    equal(pieces[-1].usage.total_tokens, 13)
    # Without steps, each event has all that was said so far.
    grown = [message(piece).content for piece in streamed_of("hello", incremental_output=False)]
    assert grown[-1] == "Grüße, 你好, 👍🏽" and all(grown[-1].startswith(text) for text in grown), grown
    for words, said in [("crlf", "lines"), ("comments", "kept alive"), ("byte-by-byte", "Hello, world.")]:
        equal("".join(message(piece).content for piece in streamed_of(words)), said)


def thinking():
    pieces = [message(piece) for piece in streamed_of("think", enable_thinking=True)]
    equal("".join(piece.reasoning_content for piece in pieces), "Let me think.")
    equal("".join(piece.content for piece in pieces), "Well.")


def tools():
    for words, places in [("weather", ["Paris"]), ("compare", ["Paris", "Oslo"])]:
        said = message(ask(words, tools=TOOLS))
        wanted = [f'{{"location":"{place}"}}' for place in places]
        equal([call["function"]["arguments"] for call in said.tool_calls], wanted)
        # The last event but one has the calls whole where there are no steps.
        whole = message(streamed_of(words, tools=TOOLS, incremental_output=False)[-1])
        equal([call["function"]["arguments"] for call in whole.tool_calls], wanted)
        steps = [call for piece in streamed_of(words, tools=TOOLS) for call in message(piece).get("tool_calls") or []]
        joined = ["".join(call["function"]["arguments"] for call in steps if call["index"] == nth) for nth in range(len(places))]
        equal(joined, wanted)
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in said.tool_calls]
        talk = [{"role": "user", "content": words}, said, *results]
        equal(message(ask("", messages=talk, tools=TOOLS)).content, "The tool says sunny")


def media():
    parts = [{"image": "https://a.org/b.png"}, {"audio": "https://a.org/c.wav"}, {"text": "look"}]
    question = [{"role": "user", "content": parts}]
    answer = dashscope.MultiModalConversation.call("scripted", messages=question)
    seen = "I see image https://a.org/b.png; audio https://a.org/c.wav"
    equal(message(answer).content, [{"text": seen}])
    pieces = dashscope.MultiModalConversation.call("scripted", messages=question, stream=True, incremental_output=True)
    equal("".join(part["text"] for piece in pieces for part in message(piece).content), seen)


def errors():
    cases = {
        "unauthorized": (401, "InvalidApiKey"),
        "no-such-model": (404, "ModelNotFound"),
        "too-long": (400, "InvalidParameter"),
        "rate-limited": (429, "Throttling.RateQuota"),
        "no-quota": (400, "Arrearage"),
        "internal": (500, "InternalError"),
        "overloaded": (503, "ModelServingError"),
    }
    for words, wanted in cases.items():
        answer = ask(words)
        equal((words, answer.status_code, answer.code), (words, *wanted))
        (piece,) = streamed_of(words)
        equal((words, piece.status_code, piece.code), (words, *wanted))
    equal(streamed_of("error-in-band")[-1].code, "ModelServingError")
    # A wrong request does not get as far as the script.
    equal(ask("hello", temperature=3).code, "InvalidParameter")
    equal(ask("hello", enable_thinking=True).code, "InvalidParameter")


def references():
    """Each answer built after the reference is read, or is an error where its name says so."""
    for path in sorted((pathlib.Path(__file__).parents[2] / "fixtures/reference/dashscope").glob("*.http")):
        words = f"reference dashscope/{path.stem}"
        last = streamed_of(words)[-1] if "stream" in path.stem else ask(words)
        equal((path.stem, bool(last.code)), (path.stem, "error" in path.stem or "inspection" in path.stem))


for case in [whole, streamed, thinking, tools, media, errors, references]:
    case()
print("ok")
