//! Answers that are chosen by the words of the user, the same words in every format.

use super::{Answer, Bit, Chat, Count, Request, Style, fault, instance};

/// Paris, and Oslo.
const PLACES: [&str; 2] = [r#"{"location":"Paris"}"#, r#"{"location":"Oslo"}"#];

/// Answers as the last words ask; what they may be is told beside each. The name of a fault gets that fault, and where a tool
/// spoke last, its words are said again.
pub(crate) fn scenario(request: &Request) -> Answer {
    let heard = request.heard();
    let last = heard.turns.last().cloned().unwrap_or_default();
    let (words, chat) = (last.text(), Chat::new());
    if last.role == "tool" {
        return chat.text(format!("The tool says {words}")).into();
    }
    let call = |chat: Chat, nth: usize| chat.call(&format!("call_{}", nth + 1), "get_weather", PLACES[nth]);
    let answer = match words.as_str() {
        "hello" => chat.text("Grüße, 你好, 👍🏽").usage(Count { input: 9, output: 4, cached: 3, reasoning: 2 }),
        // Thoughts, then text.
        "think" => chat.reasoning("Let me think.").text("Well."),
        // Thoughts that cannot be read, then text.
        "think in secret" => chat.redacted("c2VjcmV0").text("Well."),
        // Thoughts, then a call.
        "plan" => call(chat.reasoning("The tool knows."), 0),
        // Text, then a call.
        "weather" => call(chat.text("One moment."), 0),
        // Two calls at once.
        "compare" => call(call(chat, 0), 1),
        // A call, text, and another call.
        "interleave" => call(call(chat, 0).text("And the other one:"), 1),
        // A call of the request's first tool.
        "use the tool" => match heard.tools.first() {
            Some((name, schema)) => chat.call("call_1", name, instance(schema).to_string()),
            None => chat.text("There is no tool."),
        },
        // What obeys the schema, or the forced tool.
        "schema" => chat.echo(),
        // A schema that is not obeyed.
        "disobey" => chat.text("{\"wrong\": true}"),
        // The media of the request, such as `I see image/png, 68 bytes`.
        "look" => chat.seen(),
        // The conversation as the model got it, a line each turn.
        "recite" => chat.text(request.transcript().join("\n")),
        // The thoughts that came back with the conversation.
        "remember" => {
            let bits = heard.turns.iter().flat_map(|turn| &turn.parts);
            let thoughts = bits
                .filter_map(|bit| if let Bit::Thought(text, _) = bit { Some(text.as_str()) } else { None });
            chat.text(format!("You thought: {}", thoughts.collect::<Vec<_>>().join("; ")))
        }
        "refuse" => chat.refusal("I must not."),
        "no end" => chat.text("on and on").finish("length"),
        "forbidden" => chat.text("I").finish("content_filter"),
        "silent" => chat.text(""),
        "crlf" => chat.text("lines").style(Style { line_end: "\r\n", ..Style::default() }),
        "comments" => chat.text("kept alive").style(Style { comments: true, ..Style::default() }),
        name => return fault(name).unwrap_or_else(|| Answer::text(format!("nobody scripted {name}"))),
    };
    answer.into()
}

/// A model that does what it is asked in the simplest way: calls the first tool it is given, says what the tool said, obeys a
/// schema, and else repeats the user.
pub(crate) fn polite(request: &Request) -> Answer {
    let heard = request.heard();
    let last = heard.turns.last().cloned().unwrap_or_default();
    let turns = heard.turns.len();
    let count = Count { input: 4 * turns as u64, output: 7, cached: 2, reasoning: 0 };
    let chat = Chat::new().usage(count);
    let chat = if heard.schema.is_some() || heard.forced.is_some() {
        chat.echo()
    } else if last.role == "tool" {
        chat.text(format!("The tool says: {}", last.text()))
    } else if let Some((name, schema)) = heard.tools.first() {
        chat.call(&format!("call_{turns}"), name, instance(schema).to_string())
    } else {
        chat.text(format!("You said: {}", last.text()))
    };
    chat.into()
}
