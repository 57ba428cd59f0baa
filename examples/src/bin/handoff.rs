//! A front desk hands you on to who can help, and they to each other. `exit` leaves.

use agentscope::{Terminal, prelude::*};
use examples::{exit_at_end, println, rules, watch};

#[tokio::main]
async fn main() -> Result<()> {
    let model = examples::model_or(rules::handoff())?;
    let clerk = |name: &str, what: &str| {
        let prompt = format!(
            "You are {name} of a shop for coffee machines. {what} What is not your matter, hand on by `transfer_to`."
        );
        ReActAgent::new(name, model.clone()).prompt(prompt).describe(what)
    };
    let front = clerk("Front", "You find out what a customer wants.");
    let billing = clerk("Billing", "You help with bills and refunds.");
    let repairs = clerk("Repairs", "You help with machines that are broken.");

    // The tool says to whom: it knows their names and descriptions, so each may be given before it has tools itself.
    let billing = billing.tool(transfer_to(&front));
    let repairs = repairs.tool(transfer_to(&front));
    let front = front.tool(transfer_to((&billing, &repairs)));

    // Who has the conversation keeps it, and is asked the next time too.
    let desk = Handoff::new((&front, &billing, &repairs));
    let user = UserAgent::new("user", exit_at_end(Terminal::stdio().quiet()));

    let mut said = Msg::user("I was charged twice for one machine.");
    println!("user: {}", said.text());
    while said.text() != "exit" {
        watch(desk.reply(said).stream()).await?;
        if let Some(agent) = desk.current() {
            println!("(you talk to {})", agent.card().name);
        }
        said = user.reply(()).await?;
    }
    Ok(())
}
