//! The rules. Players talk and choose; who may do what, and what comes of it, is decided here.

use crate::log::Log;
use agentscope::{Fanout, MsgHub, prelude::*};
use futures_util::future::join_all;
use serde_json::json;
use std::{collections::BTreeMap, slice, sync::Arc};

const NAMES: [&str; 9] = ["Ada", "Bea", "Cal", "Dan", "Eve", "Fay", "Gus", "Hal", "Ivy"];
const ROLES: [&str; 9] = [WOLF, WOLF, WOLF, VILLAGER, VILLAGER, VILLAGER, "seer", "witch", "hunter"];
const WOLF: &str = "werewolf";
const VILLAGER: &str = "villager";
/// The channels that several hear, and the sides. What a player and the moderator say alone is in a channel of the player's name.
const VILLAGE: &str = "village";
const PACK: &str = "werewolves";
/// Who chooses none chooses this.
const NOBODY: &str = "nobody";
/// With the morning after so many nights the game ends, and nobody wins.
const NIGHTS: u32 = 20;

const PROMPT: &str = "You play Werewolf: three werewolves, three villagers, a seer, a witch and a hunter. By night \
    the werewolves kill one; the witch may once save who was to die, and once poison somebody; the seer learns of one \
    whether it is a werewolf. By day all talk in turn, and vote; more than half of the votes are needed to vote \
    somebody out. The hunter may shoot somebody when voted out or killed by werewolves. The werewolves win when they \
    are as many as the others, the others when no werewolf lives. The Moderator tells the truth, players need not. \
    Talk in one or two sentences.";

struct Player {
    name: &'static str,
    role: &'static str,
    agent: ReActAgent,
}

type Seat = Arc<Player>;
type Choice = Option<Seat>;
/// Those with most votes, how many each of them has, and all votes in words.
type Votes = (Vec<Seat>, usize, String);

pub(crate) struct Game {
    all: Vec<Seat>,
    living: Vec<Seat>,
    village: MsgHub,
    rng: fastrand::Rng,
    can_save: bool,
    can_poison: bool,
    pub(crate) log: Log,
    /// The rule that a test breaks on purpose, to see that the checker notices.
    pub(crate) broken: &'static str,
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
        let (living, village, log) = (all.clone(), MsgHub::new(agents(&all))?, Log::default());
        Ok(Self { all, living, village, rng, can_save: true, can_poison: true, log, broken: "" })
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
            match self.winner() {
                Some(winner) => break winner,
                None if self.log.phase == "morning" => self.day().await?,
                None => self.night().await?,
            }
        };
        self.end(winner).await?;
        Ok((winner, self.log))
    }

    async fn night(&mut self) -> Result<()> {
        (self.log.round, self.log.phase) = (self.log.round + 1, "night");
        self.announce(format!("Night {}. Everybody sleeps.", self.log.round)).await?;
        let victim = self.hunt().await?;
        let (mut saved, mut poisoned) = (None, None);
        if let Some(witch) = self.alive("witch").pop() {
            if let (Some(victim), true) = (&victim, self.can_save) {
                let text = format!("{} will die. Whom do you save? You can do it once.", victim.name);
                saved = self.ask_one(&witch, "save", &text, slice::from_ref(victim)).await?;
                self.can_save = saved.is_none() || self.broken == "the witch saves once";
            }
            if self.can_poison && saved.is_none() {
                let text = "Whom do you poison? You can do it once, and may wait.";
                poisoned = self.ask_one(&witch, "poison", text, &self.living.clone()).await?;
                self.can_poison = poisoned.is_none();
            }
        }
        if let Some(seer) = self.alive("seer").pop() {
            let text = "Of whom do you learn whether it is a werewolf?";
            if let Some(seen) = self.ask_one(&seer, "look", text, &self.living.clone()).await? {
                let is = if seen.role == WOLF { "a" } else { "no" };
                self.tell(&seer, format!("{} is {is} werewolf.", seen.name)).await?;
            }
        }
        self.log.phase = "morning";
        let killed = victim.filter(|_| saved.is_none()).map(|it| (it, PACK));
        let mut dead: Vec<_> = poisoned.map(|it| (it, "poison")).into_iter().chain(killed).collect();
        dead.retain(|(player, cause)| self.kill(player, cause));
        let died = names(&dead.iter().map(|(it, _)| it.clone()).collect::<Vec<_>>());
        self.announce(format!("Day {}. Died in the night: {died}.", self.log.round)).await?;
        self.bury(dead).await
    }

    /// The werewolves talk in a hub of their own, twice unless they agree before, and vote. The lot decides between those
    /// with most votes.
    async fn hunt(&mut self) -> Result<Choice> {
        let wolves = self.alive(WOLF);
        let pack = MsgHub::new(agents(&wolves))?;
        if self.broken == "the pack talks alone" {
            pack.add(agents(&self.alive(VILLAGER)))?;
        }
        let (who, alive) = (names(&wolves), names(&self.living));
        let text = format!("The werewolves are {who}. Alive: {alive}. Talk in turn: whom do you kill?");
        pack.broadcast(self.log.moderator(PACK, text)).await?;
        for _ in 0..2 {
            let mut named = Vec::new();
            for wolf in &wolves {
                let said = self.speak(wolf, PACK).await?;
                named.extend(self.living.iter().map(|it| it.name).filter(|it| said.contains(it)));
            }
            named.dedup();
            if named.len() == 1 {
                break; // they agree
            }
        }
        pack.auto_broadcast(false);
        let (most, _, votes) = self.vote(&wolves, PACK, "Whom do you kill?", &self.living.clone()).await?;
        let victim = self.rng.choice(most);
        self.log.event("victim", json!({"name": victim.as_ref().map(|it| it.name)}));
        let text = format!("{votes}. You kill {}.", names(victim.as_slice()));
        pack.broadcast(self.log.moderator(PACK, text)).await?;
        Ok(victim)
    }

    /// All talk in turn, then vote at the same time. Who has more than half of the votes is out.
    async fn day(&mut self) -> Result<()> {
        self.log.phase = "day";
        self.announce(format!("Alive: {}. Talk in turn: whom do you suspect?", names(&self.living))).await?;
        let mut talking = self.living.clone();
        talking.rotate_left(self.rng.usize(..self.living.len()));
        for player in talking {
            self.speak(&player, VILLAGE).await?;
        }
        let may = |rule| if self.broken == rule { self.all.clone() } else { self.living.clone() };
        let (voters, options) = (may("the dead do not vote"), may("nobody votes for the dead"));
        let (mut out, count, votes) = self.vote(&voters, VILLAGE, "Whom do you vote out?", &options).await?;
        out.retain(|it| 2 * count > voters.len() && self.kill(it, "vote"));
        self.announce(format!("{votes}. Voted out: {}.", names(&out))).await?;
        self.bury(out.into_iter().map(|it| (it, "vote")).collect()).await
    }

    /// Takes somebody from the living; whether that was one of them.
    fn kill(&mut self, who: &Seat, cause: &str) -> bool {
        let Some(at) = self.living.iter().position(|it| it.name == who.name) else { return false };
        self.living.remove(at);
        self.log.event("death", json!({"name": who.name, "cause": cause}));
        true
    }

    /// What the dead still do: say last words, after a vote or the first night, and shoot. Then they leave the village.
    async fn bury(&mut self, dead: Vec<(Seat, &str)>) -> Result<()> {
        for (who, cause) in dead {
            if cause == "vote" || self.log.round == 1 {
                self.tell(&who, "You are dead. What are your last words?".to_owned()).await?;
                self.speak(&who, VILLAGE).await?;
            }
            self.village.remove(&who.agent)?;
            let can_shoot = cause != "poison" || self.broken == "the poisoned do not shoot";
            if who.role != "hunter" || !can_shoot {
                continue;
            }
            let text = "Whom do you shoot before you die?";
            if let Some(shot) = self.ask_one(&who, "shoot", text, &self.living.clone()).await? {
                self.kill(&shot, "shot");
                self.announce(format!("The hunter shoots {}.", shot.name)).await?;
                self.village.remove(&shot.agent)?;
            }
        }
        Ok(())
    }

    /// Tells all who they were, the dead too, and puts into the log what each has heard, as the player itself has it.
    async fn end(&mut self, winner: &str) -> Result<()> {
        self.log.event("end", json!({"winner": winner}));
        self.log.phase = "over";
        let roles: Vec<_> = self.all.iter().map(|it| format!("{} was {}", it.name, it.role)).collect();
        let text = format!("The game is over, {winner} won. {}. What do you say?", roles.join(", "));
        let question = self.log.moderator(VILLAGE, text);
        self.village.auto_broadcast(false);
        let replies = Fanout::new(agents(&self.all)).collect_failures().all(question).await?;
        for (player, reply) in self.all.iter().zip(replies) {
            answered(reply)?.iter().for_each(|it| self.log.said(it, player.name));
            self.log.heard(player.name, &player.agent.snapshot().await?);
        }
        Ok(())
    }

    /// Lets a player talk: the others in the hub of the channel hear it.
    async fn speak(&mut self, who: &Seat, channel: &str) -> Result<String> {
        self.village.auto_broadcast(channel == VILLAGE);
        let said = answered(who.agent.reply(()).await)?.filter(|it| !it.text().is_empty());
        said.iter().for_each(|it| self.log.said(it, channel));
        Ok(said.map(|it| it.text()).unwrap_or_default())
    }

    /// Asks players at the same time to choose one `of` these, which no other hears. What is no choice is none.
    async fn ask(&mut self, who: &[Seat], channel: &str, text: &str, of: &[Seat]) -> Result<Vec<Choice>> {
        let names: Vec<&str> = of.iter().map(|it| it.name).chain([NOBODY]).collect();
        let schema = json!({"type": "object", "properties": {"name": {"enum": names}}, "required": ["name"]});
        let question = self.log.moderator(channel, text);
        self.village.auto_broadcast(false);
        let replies = who.iter().map(|it| it.agent.reply(&question).schema(schema.clone()).into_future());
        let mut chosen = Vec::new();
        for (player, reply) in who.iter().zip(join_all(replies).await) {
            let reply = answered(reply)?;
            reply.iter().for_each(|it| self.log.said(it, player.name));
            let name = reply.as_ref().and_then(|it| it.output.as_ref()?.get("name")?.as_str());
            chosen.push(of.iter().find(|it| Some(it.name) == name).cloned());
        }
        Ok(chosen)
    }

    /// Asks one player for a deed.
    async fn ask_one(&mut self, who: &Seat, deed: &str, text: &str, of: &[Seat]) -> Result<Choice> {
        let chosen = self.ask(slice::from_ref(who), who.name, text, of).await?.into_iter().flatten().next();
        if let Some(whom) = &chosen {
            self.log.line(format!("{} chooses: {deed} {}.", who.name, whom.name));
            self.log.event(deed, json!({"by": who.name, "name": whom.name}));
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
        let most = counts.values().max().copied().unwrap_or(0);
        let leaders = options.iter().filter(|it| counts.get(it.name) == Some(&most)).cloned();
        Ok((leaders.collect(), most, told.join(", ")))
    }

    async fn announce(&mut self, text: String) -> Result<()> {
        self.village.broadcast(self.log.moderator(VILLAGE, text)).await
    }

    async fn tell(&mut self, who: &Seat, text: String) -> Result<()> {
        who.agent.observe(vec![Arc::new(self.log.moderator(who.name, text))]).await
    }

    fn winner(&self) -> Option<&'static str> {
        match self.alive(WOLF).len() {
            0 => Some(VILLAGE),
            wolves if 2 * wolves >= self.living.len() => Some(PACK),
            _ => (self.log.round == NIGHTS).then_some(NOBODY),
        }
    }

    fn alive(&self, role: &str) -> Vec<Seat> {
        self.living.iter().filter(|it| it.role == role).cloned().collect()
    }
}

/// Nonsense is no answer. That a model cannot be reached is for the person who started the game.
fn answered(reply: Result<Msg>) -> Result<Option<Msg>> {
    let nonsense =
        |it: &Error| matches!(it.kind(), ErrorKind::Protocol | ErrorKind::Refused | ErrorKind::Timeout);
    if reply.as_ref().is_err_and(nonsense) { Ok(None) } else { reply.map(Some) }
}

fn agents(seats: &[Seat]) -> Vec<&ReActAgent> {
    seats.iter().map(|it| &it.agent).collect()
}

fn names(seats: &[Seat]) -> String {
    let names: Vec<_> = seats.iter().map(|it| it.name).collect();
    if names.is_empty() { NOBODY.to_owned() } else { names.join(", ") }
}
