//! You talk with three characters: whoever is mentioned, as `@Ann`, speaks next.

use agentscope::{Terminal, prelude::*};
use examples::{exit_at_end, println, rules, watch};

/// How often somebody speaks before the talk is over, because those who mention each other could go on for ever.
const MAX_TURNS: u32 = 100;

#[tokio::main]
async fn main() -> Result<()> {
    let model = examples::model_or(rules::group_chat())?;
    let character = |name: &str, who: &str| {
        let prompt = format!(
            "You are {name}, {who}, in a group chat with Ann, Ben, Cleo and You, a guest. Say one or two sentences in your \
             role. To give the word to somebody, mention them, as in `@Ben`; mention nobody to give it back to the guest."
        );
        ReActAgent::new(name, model.clone()).prompt(prompt)
    };
    let ann = character("Ann", "a gardener");
    let ben = character("Ben", "a cook");
    let cleo = character("Cleo", "a captain");
    // What the others say is shown while they say it, so the terminal need not show it again.
    let you = UserAgent::new("You", exit_at_end(Terminal::stdio().quiet()));

    let chat = GroupChat::new((&ann, &ben, &cleo, &you))
        .speaker(SpeakerPolicy::mention().otherwise("You"))
        .until(|msg| msg.text() == "exit")
        .max_turns(MAX_TURNS);

    let question = Msg::user("What is best done with a pumpkin, @Ann and @Ben?").named("Host");
    println!("(mention @Ann, @Ben or @Cleo; `exit` leaves)\n{}: {}", question.name, question.text());
    watch(chat.reply(question).stream()).await?;
    Ok(())
}
