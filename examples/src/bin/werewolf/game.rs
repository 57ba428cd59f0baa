//! The rules. Players talk and choose; who may do what, and what comes of it, is decided here.

use crate::log::Log;
use agentscope::{Fanout, MsgHub, prelude::*};
use futures_util::future::join_all;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

const NAMES: [&str; 9] = ["Ada", "Bea", "Cal", "Dan", "Eve", "Fay", "Gus", "Hal", "Ivy"];
const WEREWOLF: &str = "werewolf";
const VILLAGER: &str = "villager";
const ROLES: [&str; 9] =
    [WEREWOLF, WEREWOLF, WEREWOLF, VILLAGER, VILLAGER, VILLAGER, "seer", "witch", "hunter"];
/// The channels that several hear, and the sides. A channel with the moderator alone has the name of the player.
const VILLAGE: &str = "village";
const PACK: &str = "werewolves";
/// Who chooses none chooses this.
const NOBODY: &str = "nobody";
/// How often the werewolves talk in turn, unless they agree before.
const TALKS: u32 = 2;
/// After so many rounds nobody wins.
const ROUNDS: u32 = 20;

const PROMPT: &str = "You play Werewolf: three werewolves, three villagers, a seer, a witch and a hunter. By night the \
     werewolves kill one; the witch may once save who was to die, and once poison somebody; the seer learns of one \
     whether it is a werewolf. By day all talk, and vote somebody out. The hunter may shoot somebody when voted out or \
     killed by werewolves. The werewolves win when they are as many as the others, the others when no werewolf lives. \
     The Moderator tells the truth, players need not. Talk in one or two sentences, and give nothing away.";

/// What the game holds to. Tests break one on purpose, to see that the checker notices.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    TheDeadDoNotVote,
    NobodyVotesForTheDead,
    TheWitchSavesOnce,
    ThePackTalksAlone,
    ThePoisonedDoNotShoot,
}

struct Player {
    name: &'static str,
    role: &'static str,
    agent: ReActAgent,
}

type Seat = Arc<Player>;
type Choice = Option<Seat>;
/// Those with most votes, nobody without votes and several in a tie; and who voted for whom.
type Votes = (Vec<Seat>, String);
/// Who dies, and of what.
type Death = (Seat, &'static str);

pub(crate) struct Game {
    all: Vec<Seat>,
    living: Vec<Seat>,
    village: MsgHub,
    rng: fastrand::Rng,
    can_save: bool,
    can_poison: bool,
    pub(crate) log: Log,
    pub(crate) broken: Option<Rule>,
}

impl Game {
    /// The seed deals the roles and draws the lots. `brain` gives the model of each seat, from 0.
    pub(crate) fn new(seed: u64, brain: impl Fn(u64) -> Arc<dyn ChatModel>) -> Result<Self> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut roles = ROLES;
        rng.shuffle(&mut roles);
        let seat = |((name, role), at)| {
            // One more round: an answer that names nobody who can be chosen comes back with what is wrong, once.
            let agent = ReActAgent::new(name, brain(at)).prompt(PROMPT).max_iters(1);
            Arc::new(Player { name, role, agent })
        };
        let all: Vec<Seat> = NAMES.into_iter().zip(roles).zip(0..).map(seat).collect();
        let (living, village) = (all.clone(), MsgHub::new(agents(&all))?);
        village.auto_broadcast(false);
        let log = Log::default();
        Ok(Self { all, living, village, rng, can_save: true, can_poison: true, log, broken: None })
    }

    /// Plays to the end. Gives the side that wins, and the log.
    ///
    /// # Errors
    /// Where a model cannot be reached. If one talks nonsense, its player says and chooses nothing.
    pub(crate) async fn play(mut self) -> Result<(&'static str, Log)> {
        let deal: Vec<_> = self.all.iter().map(|it| json!({"name": it.name, "role": it.role})).collect();
        self.log.event("game", json!({"players": deal, "prompt": PROMPT}));
        for player in self.all.clone() {
            self.tell(&player, format!("{}, your role is {}.", player.name, player.role)).await?;
        }
        let winner = loop {
            self.log.round += 1;
            self.log.phase = "night";
            let dying = self.night().await?;
            self.log.phase = "day";
            self.dawn(dying).await?;
            if let Some(winner) = self.winner() {
                break winner;
            }
            self.day().await?;
            if let Some(winner) = self.winner() {
                break winner;
            } else if self.log.round == ROUNDS {
                break NOBODY;
            }
        };
        self.end(winner).await?;
        Ok((winner, self.log))
    }

    async fn night(&mut self) -> Result<Vec<Death>> {
        self.announce(format!("Night {}. Everybody sleeps.", self.log.round)).await?;
        let mut victim = self.hunt().await?;
        let mut dying = Vec::new();
        if let Some(witch) = self.alive("witch").pop() {
            let mut saved = None;
            if let (Some(victim), true) = (&victim, self.can_save) {
                let question = format!("{} will die. Whom do you save? You can do it once.", victim.name);
                saved = self.ask_one(&witch, "save", &question, std::slice::from_ref(victim)).await?;
            }
            if saved.is_some() {
                self.can_save = self.broken == Some(Rule::TheWitchSavesOnce);
                victim = None;
            } else if self.can_poison {
                let question = "Whom do you poison? You can do it once, and may wait.";
                let poisoned = self.ask_one(&witch, "poison", question, &self.living.clone()).await?;
                self.can_poison = poisoned.is_none();
                dying.extend(poisoned.map(|it| (it, "poison")));
            }
        }
        if let Some(seer) = self.alive("seer").pop() {
            let question = "Of whom do you learn whether it is a werewolf?";
            if let Some(seen) = self.ask_one(&seer, "look", question, &self.living.clone()).await? {
                let is = if seen.role == WEREWOLF { "a" } else { "no" };
                self.tell(&seer, format!("{} is {is} werewolf.", seen.name)).await?;
            }
        }
        dying.extend(victim.map(|it| (it, PACK)));
        Ok(dying)
    }

    /// The werewolves talk in a hub of their own, and vote. The lot decides between those with most votes.
    async fn hunt(&mut self) -> Result<Option<Seat>> {
        let wolves = self.alive(WEREWOLF);
        let pack = MsgHub::new(agents(&wolves))?;
        if self.broken == Some(Rule::ThePackTalksAlone) {
            pack.add(agents(&self.alive(VILLAGER)))?;
        }
        let text = format!("The werewolves are {}. Alive: {}.", names(&wolves), names(&self.living));
        pack.broadcast(self.log.moderator(PACK, text)).await?;
        for _ in 0..TALKS {
            let mut proposed = Vec::new();
            for wolf in &wolves {
                let said = self.speak(wolf, PACK, "Whom do we kill?").await?;
                let named = self.living.iter().filter(|it| said.contains(it.name)).map(|it| it.name);
                proposed.push(named.collect::<Vec<_>>());
            }
            if proposed.iter().all(|it| it.len() == 1 && Some(it) == proposed.first()) {
                break; // they agree
            }
        }
        pack.auto_broadcast(false);
        let (most, votes) = self.vote(&wolves, PACK, "Whom do you kill?", &self.living.clone()).await?;
        let victim = self.rng.choice(most);
        let name = victim.as_ref().map(|it| it.name);
        self.log.event("victim", json!({"name": name}));
        let text = format!("Votes: {votes}. You choose {}.", name.unwrap_or(NOBODY));
        self.log.line(format!("(to the werewolves) {text}")).await;
        pack.broadcast(self.log.moderator(PACK, text)).await?;
        Ok(victim)
    }

    async fn dawn(&mut self, dying: Vec<Death>) -> Result<()> {
        let dead = self.kill(dying);
        let died = dead.iter().map(|(it, _)| it.clone()).collect::<Vec<_>>();
        let (died, living) = (names(&died), names(&self.living));
        self.announce(format!("Day {}. Died in the night: {died}. Alive: {living}.", self.log.round)).await?;
        self.bury(dead).await
    }

    /// All talk, then all vote at the same time. Who has most votes is out, in a tie nobody.
    async fn day(&mut self) -> Result<()> {
        let mut talking = self.living.clone();
        talking.rotate_left(self.rng.usize(..self.living.len()));
        for player in talking {
            self.speak(&player, VILLAGE, "Your turn: who is a werewolf?").await?;
        }
        let (mut voters, mut options) = (self.living.clone(), self.living.clone());
        let dead = self.all.iter().filter(|it| !self.is_alive(it)).cloned();
        if self.broken == Some(Rule::TheDeadDoNotVote) {
            voters.extend(dead);
        } else if self.broken == Some(Rule::NobodyVotesForTheDead) {
            options.extend(dead);
        }
        let (most, votes) = self.vote(&voters, VILLAGE, "Whom do you vote out?", &options).await?;
        let out = if most.len() == 1 { most } else { Vec::new() };
        let dead = self.kill(out.iter().map(|it| (it.clone(), "vote")).collect());
        let (out, living) = (names(&out), names(&self.living));
        self.announce(format!("Votes: {votes}. Voted out: {out}. Alive: {living}.")).await?;
        self.bury(dead).await
    }

    /// Takes the dying from the living, and gives those who were alive.
    fn kill(&mut self, mut dying: Vec<Death>) -> Vec<Death> {
        dying.retain(|(player, cause)| {
            let was_alive = self.is_alive(player);
            self.living.retain(|it| it.name != player.name);
            if was_alive {
                self.log.event("death", json!({"name": player.name, "cause": cause}));
            }
            was_alive
        });
        dying
    }

    /// What the dead still do: say their last words, after the first night or a vote, and shoot. Then they leave the village.
    async fn bury(&mut self, dead: Vec<Death>) -> Result<()> {
        for (player, cause) in dead {
            if cause == "vote" || self.log.round == 1 {
                self.speak(&player, VILLAGE, "You are dead. What are your last words?").await?;
            }
            self.village.remove(&player.agent)?;
            let can_shoot = cause != "poison" || self.broken == Some(Rule::ThePoisonedDoNotShoot);
            if player.role == "hunter" && can_shoot {
                let question = "Whom do you shoot before you die?";
                if let Some(shot) = self.ask_one(&player, "shoot", question, &self.living.clone()).await? {
                    self.kill(vec![(shot.clone(), "shot")]);
                    let living = names(&self.living);
                    self.announce(format!("The hunter shoots {}. Alive: {living}.", shot.name)).await?;
                    self.village.remove(&shot.agent)?;
                }
            }
        }
        Ok(())
    }

    /// Tells all who they were, the dead too, and puts into the log what was ever heard, as the players themselves have it.
    async fn end(&mut self, winner: &'static str) -> Result<()> {
        self.log.event("end", json!({"winner": winner}));
        self.log.phase = "over";
        let roles: Vec<_> = self.all.iter().map(|it| format!("{} was {}", it.name, it.role)).collect();
        let text = format!("The game is over, {winner} won. {}. What do you say?", roles.join(", "));
        self.log.line(&text).await;
        let question = self.log.moderator(VILLAGE, text);
        let replies = Fanout::new(agents(&self.all)).collect_failures().all(question).await?;
        for (player, reply) in self.all.iter().zip(replies) {
            let said = answered(reply)?.map(|it| it.text()).unwrap_or_default();
            self.log.line(format!("{}: {said}", player.name)).await;
            self.log.heard(player.name, &player.agent.snapshot().await?);
        }
        Ok(())
    }

    /// Lets a player talk. The others in the hub of the channel hear it, if the hub broadcasts.
    async fn speak(&mut self, player: &Seat, channel: &str, cue: &str) -> Result<String> {
        let cue = self.log.moderator(player.name, cue);
        self.village.auto_broadcast(channel == VILLAGE);
        let reply = answered(player.agent.reply(cue).await)?;
        self.village.auto_broadcast(false);
        let Some(reply) = reply else { return Ok(String::new()) };
        self.log.said(&reply, channel);
        let whom = if channel == VILLAGE { "" } else { " (to the werewolves)" };
        self.log.line(format!("{}{whom}: {}", player.name, reply.text())).await;
        Ok(reply.text())
    }

    /// Asks players at the same time to choose one of `options`, which nobody else hears. What is no choice is none.
    async fn ask(
        &mut self,
        who: &[Seat],
        channel: &str,
        text: &str,
        options: &[Seat],
    ) -> Result<Vec<Choice>> {
        let choices: Vec<&str> = options.iter().map(|it| it.name).chain([NOBODY]).collect();
        let schema =
            json!({"type": "object", "properties": {"name": {"enum": choices}}, "required": ["name"]});
        let question = self.log.moderator(channel, text);
        let replies = who.iter().map(|it| it.agent.reply(&question).schema(schema.clone()).into_future());
        let mut chosen = Vec::new();
        for (player, reply) in who.iter().zip(join_all(replies).await) {
            let reply = answered(reply)?;
            reply.iter().for_each(|it| self.log.said(it, player.name));
            let output = reply.and_then(|it| it.output);
            let name = output.as_ref().and_then(|it| it.get("name")?.as_str());
            chosen.push(options.iter().find(|it| Some(it.name) == name).cloned());
        }
        Ok(chosen)
    }

    /// Asks one player for a deed.
    async fn ask_one(&mut self, who: &Seat, deed: &str, text: &str, options: &[Seat]) -> Result<Choice> {
        let chosen = self.ask(std::slice::from_ref(who), who.name, text, options).await?;
        let chosen = chosen.into_iter().flatten().next();
        if let Some(whom) = &chosen {
            self.log.event(deed, json!({"by": who.name, "name": whom.name}));
            self.log.line(format!("({}, the {}: {deed} {})", who.name, who.role, whom.name)).await;
        }
        Ok(chosen)
    }

    async fn vote(&mut self, who: &[Seat], channel: &str, text: &str, options: &[Seat]) -> Result<Votes> {
        let votes = self.ask(who, channel, text, options).await?;
        let (mut told, mut counts) = (Vec::new(), BTreeMap::new());
        for (voter, vote) in who.iter().zip(votes) {
            let name = vote.as_ref().map(|it| it.name);
            self.log.event("vote", json!({"channel": channel, "by": voter.name, "name": name}));
            told.push(format!("{} for {}", voter.name, name.unwrap_or(NOBODY)));
            name.into_iter().for_each(|it| *counts.entry(it).or_insert(0) += 1);
        }
        let most = counts.values().max();
        let most = options.iter().filter(|it| most.is_some() && counts.get(it.name) == most);
        Ok((most.cloned().collect(), told.join(", ")))
    }

    async fn announce(&mut self, text: String) -> Result<()> {
        self.log.line(&text).await;
        self.village.broadcast(self.log.moderator(VILLAGE, text)).await
    }

    async fn tell(&mut self, player: &Seat, text: String) -> Result<()> {
        self.log.line(format!("(to {}) {text}", player.name)).await;
        player.agent.observe(vec![Arc::new(self.log.moderator(player.name, text))]).await
    }

    fn winner(&self) -> Option<&'static str> {
        match self.alive(WEREWOLF).len() {
            0 => Some(VILLAGE),
            wolves if 2 * wolves >= self.living.len() => Some(PACK),
            _ => None,
        }
    }

    fn alive(&self, role: &str) -> Vec<Seat> {
        self.living.iter().filter(|it| it.role == role).cloned().collect()
    }

    fn is_alive(&self, player: &Seat) -> bool {
        self.living.iter().any(|it| it.name == player.name)
    }
}

/// Nonsense is no answer. That a model cannot be reached is for the person who started the game.
fn answered(reply: Result<Msg>) -> Result<Option<Msg>> {
    let nonsense = [ErrorKind::Protocol, ErrorKind::Refused, ErrorKind::Timeout];
    match reply {
        Err(error) if nonsense.contains(&error.kind()) => Ok(None),
        reply => reply.map(Some),
    }
}

fn agents(seats: &[Seat]) -> Vec<&ReActAgent> {
    seats.iter().map(|it| &it.agent).collect()
}

fn names(seats: &[Seat]) -> String {
    let names: Vec<_> = seats.iter().map(|it| it.name).collect();
    if names.is_empty() { NOBODY.to_owned() } else { names.join(", ") }
}
