//! You talk with three characters: whoever is mentioned, as `@Ann`, speaks next.

use agentscope::{Terminal, prelude::*};
use examples::{exit_at_end, println, rules, watch};

/// How often they speak before the word is yours again: those who mention each other could go on for ever.
const MAX_TURNS: u32 = 6;

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
    // What they say is shown while they say it, so the terminal need not show it again.
    let you = UserAgent::new("You", exit_at_end(Terminal::stdio().quiet()));

    // All three hear all that is said. Where nobody is mentioned, nobody says anything, which is no error here.
    let chat = GroupChat::new((&ann, &ben, &cleo))
        .speaker(SpeakerPolicy::mention())
        .max_turns(MAX_TURNS)
        .join(|mut talk| Ok(talk.pop().unwrap_or_else(|| Msg::system("(silence)"))));

    println!("(mention @Ann, @Ben or @Cleo; `exit` leaves)");
    let mut said = Msg::user("What is best done with a pumpkin, @Ann and @Ben?").named("Host");
    println!("{}: {}", said.name, said.text());
    while said.text() != "exit" {
        watch(chat.reply(said).stream()).await?;
        said = you.reply(()).await?;
    }
    Ok(())
}
