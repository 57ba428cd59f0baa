//! You and an assistant talk in turn, until you say `exit`.

use agentscope::{Terminal, prelude::*};
use examples::{exit_at_end, rules};

#[tokio::main]
async fn main() -> Result<()> {
    let dialog_agent = ReActAgent::new("assistant", examples::model_or(rules::conversation())?)
        .prompt("You're a helpful assistant. Be brief.");
    // `UserAgent::terminal("user")`, but that the end of the input says `exit` too.
    let user_agent = UserAgent::new("user", exit_at_end(Terminal::stdio()));

    let mut x = user_agent.reply(()).await?;
    while x.text() != "exit" {
        x = dialog_agent.reply(x).await?;
        x = user_agent.reply(x).await?; // shows what the assistant said, and asks
    }
    Ok(())
}
