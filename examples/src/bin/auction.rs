//! Three bid for what is sold; the program holds them to the rules, whatever their model says.

use agentscope::prelude::*;
use examples::{println, rules};
use futures_util::future::join_all;

const LOTS: [&str; 3] = ["clock", "vase", "lamp"];

/// How many coins a bid has to be above the highest so far.
const STEP: u32 = 10;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Bid {
    /// How many coins you bid; 0 if you bid no more for this lot.
    coins: u32,
}

struct Bidder {
    agent: ReActAgent,
    purse: u32,
}

impl Bidder {
    async fn ask(&self, lot: &str, least: u32) -> Result<Bid> {
        let ask = format!("For sale: the {lot}. Bid at least {least}, or 0. You have {}.", self.purse);
        self.agent.reply(Msg::user(ask).named("Auctioneer")).typed().await
    }

    /// The coins of a bid that keeps the rules.
    fn check(&self, bid: Result<Bid>, least: u32) -> Option<u32> {
        let (coins, told) = match bid.map(|bid| bid.coins) {
            Ok(0) => return None,
            Ok(coins) if coins > self.purse => (None, format!("bids {coins}, refused: has {}", self.purse)),
            Ok(coins) if coins < least => (None, format!("bids {coins}, refused: less than {least}")),
            Ok(coins) => (Some(coins), format!("bids {coins}")),
            Err(error) => (None, format!("makes no bid: {error}")),
        };
        println!("  {} {told}", self.agent.card().name);
        coins
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let model = examples::model_or(rules::auction())?;
    let bidder = |name: &str, purse: u32, worth: &str| {
        let prompt =
            format!("You are {name} and bid at an auction. What the lots are worth to you: {worth}.");
        Bidder { agent: ReActAgent::new(name, model.clone()).prompt(prompt), purse }
    };
    let ann = bidder("Ann", 100, "clock 70, vase 30, lamp 20");
    let ben = bidder("Ben", 80, "clock 50, vase 60, lamp 20");
    let cleo = bidder("Cleo", 30, "clock 10, vase 45, lamp 25; but you are reckless");
    let hub = MsgHub::new((&ann.agent, &ben.agent, &cleo.agent))?;
    hub.auto_broadcast(false); // bids are sealed: all hear the auctioneer, and not each other
    let mut bidders = [ann, ben, cleo];

    for lot in LOTS {
        println!("For sale: the {lot}");
        let (mut leader, mut least) = (None, STEP);
        loop {
            let others = || bidders.iter().enumerate().filter(|(at, _)| Some(*at) != leader);
            let bids = join_all(others().map(|(_, bidder)| bidder.ask(lot, least))).await;
            let valid = others().zip(bids).filter_map(|((at, it), bid)| Some((at, it.check(bid, least)?)));
            // The highest, of equal ones the first. It grows each time, so the purses end it.
            let Some((at, coins)) = valid.min_by_key(|(_, coins)| std::cmp::Reverse(*coins)) else { break };
            (leader, least) = (Some(at), coins + STEP);
        }
        let sold = match leader.and_then(|at| bidders.get_mut(at)) {
            None => format!("Nobody wants the {lot}."),
            Some(Bidder { agent, purse }) => {
                *purse -= least - STEP;
                format!("The {lot} goes to {} for {}.", agent.card().name, least - STEP)
            }
        };
        println!("{sold}\n");
        hub.broadcast(Msg::user(sold).named("Auctioneer")).await?;
    }
    Ok(())
}
