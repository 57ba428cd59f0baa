//! One program for any model: it streams, calls a tool, looks at an image, and gives a struct.

use agentscope::{Media, prelude::*};
use examples::println;
use std::io::{Write, stdout};

/// A square of 16 by 16 red points.
const SQUARE: &str = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mO4oKBAEmIY1TCqYfhqAABLfxAQegypMgAAAABJRU5ErkJggg==";

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Weather {
    city: String,
    /// In degrees Celsius.
    degrees: i32,
}

/// Get the current weather of a city.
#[tool(read_only)]
async fn weather(
    /// City name, in English.
    city: String,
) -> String {
    format!("{city}: sunny, 21 °C (an example: no weather service was asked)")
}

#[tokio::main]
async fn main() -> Result<()> {
    let model = examples::model()?;
    println!("{}", about(model.card()));
    let friday =
        ReActAgent::new("Friday", model).prompt("You're a helpful assistant named Friday.").tool(weather);

    say(&friday, "It streams", Msg::user("What is the tallest mountain of Norway, and how tall is it?"))
        .await?;
    say(&friday, "It calls a tool", Msg::user("How is the weather in Oslo?")).await?;
    let square = Msg::user("What color is this square?").with(Media::base64("image/png", SQUARE));
    say(&friday, "It looks at an image", square).await?;

    println!("\n\n# It gives a struct");
    let report: Weather = friday.reply("Give me the weather of Oslo as data.").typed().await?;
    println!("{} has {} °C: {report:?}", report.city, report.degrees);
    Ok(())
}

/// Asks, and writes the words of the answer as they come.
async fn say(agent: &ReActAgent, title: &str, question: Msg) -> Result<()> {
    println!("\n\n# {title}: {}", question.text());
    let mut events = agent.reply(question).stream();
    while let Some(event) = events.next().await {
        match event?.kind {
            EventKind::TextDelta { delta, .. } => examples::print(format_args!("{delta}")),
            EventKind::ToolCallDelta { delta, .. } => examples::print(format_args!("[{delta}]")),
            EventKind::ModelEnd { usage: Some(usage), .. } => {
                println!("\n({} tokens read, {} written)", usage.input_tokens, usage.output_tokens);
            }
            _ => {}
        }
        let _ = stdout().flush();
    }
    Ok(())
}

fn about(card: &ModelCard) -> String {
    let size = match card.context_size {
        0 => "a context of unknown size".to_owned(),
        tokens => format!("a context of {tokens} tokens"),
    };
    let types = if card.input_types.is_empty() { "text".to_owned() } else { card.input_types.join(", ") };
    format!("{}: {size}, takes {types}", card.name)
}
