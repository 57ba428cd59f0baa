use crate::message::Msg;
use futures_core::future::BoxFuture;
use futures_util::future::join_all;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// Who hears what an agent says, without the agent being told to: the rooms in which it is.
///
/// Each conversation of an agent has its own, which is also how a room knows its members apart. A [`crate::Mailbox`] has one
/// and [tells](Self::tell) it each reply by itself; an agent without a mailbox keeps one, and tells it.
///
/// ```
/// use agentscope_core::{Agent, AgentExt, Audience, BoxFuture, Msg, Room, Told, agent_fn};
/// use std::sync::{Arc, Mutex};
///
/// /// Writes down what is said.
/// #[derive(Default)]
/// struct Minutes(Mutex<Vec<String>>);
///
/// impl Room for Minutes {
///     fn tell(&self, msg: &Arc<Msg>, _: &mut Told) -> BoxFuture<'static, ()> {
///         self.0.lock().unwrap().push(msg.text());
///         Box::pin(async {})
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let alice = agent_fn("Alice", |_, _| async { Ok(Msg::assistant("Alice", "Good morning!")) });
/// let minutes = Arc::new(Minutes::default());
/// alice.audience().unwrap().join(&minutes);
/// alice.reply("Say something.").await?;
/// assert_eq!(*minutes.0.lock().unwrap(), ["Good morning!"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Audience(Arc<Mutex<Vec<Weak<dyn Room>>>>);

/// Where it is heard what those in it say.
///
/// See [`Audience`] for an example.
pub trait Room: Send + Sync + 'static {
    /// Tells everybody here who was not [told](Told::first_time) yet. The speaker waits for it, so it must end soon, whatever
    /// those who hear do; what failed is the room's to report.
    fn tell(&self, msg: &Arc<Msg>, told: &mut Told) -> BoxFuture<'static, ()>;
}

impl Audience {
    /// Nobody, so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on it is heard in `room`, until it [leaves](Self::leave) or the room is dropped.
    pub fn join<R: Room>(&self, room: &Arc<R>) {
        let room: Weak<dyn Room> = Arc::downgrade(room) as _;
        let mut rooms = self.lock();
        rooms.retain(|known| known.strong_count() > 0);
        if !rooms.iter().any(|known| same(known, &room)) {
            rooms.push(room);
        }
    }

    /// From now on it is not heard in `room`.
    pub fn leave<R: Room>(&self, room: &Arc<R>) {
        let room: Weak<dyn Room> = Arc::downgrade(room) as _;
        self.lock().retain(|known| known.strong_count() > 0 && !same(known, &room));
    }

    /// Whether nobody hears it.
    pub fn is_empty(&self) -> bool {
        self.lock().iter().all(|room| room.strong_count() == 0)
    }

    /// Tells everybody who hears it, once, what `msg` [says](Msg::spoken); nothing if it says nothing. Ends when all have heard
    /// it, or when their rooms wait no longer.
    pub async fn tell(&self, msg: &Msg) {
        let rooms: Vec<Arc<dyn Room>> = self.lock().iter().filter_map(Weak::upgrade).collect();
        if rooms.is_empty() {
            return;
        }
        let spoken = Arc::new(msg.spoken());
        if spoken.content.is_empty() && spoken.output.is_none() {
            return;
        }
        let mut told = Told { speaker: self.clone(), others: (rooms.len() > 1).then(HashSet::new) };
        match rooms.as_slice() {
            [room] => room.tell(&spoken, &mut told).await,
            rooms => {
                let hearing: Vec<_> = rooms.iter().map(|room| room.tell(&spoken, &mut told)).collect();
                join_all(hearing).await;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<dyn Room>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

/// The same room, whatever it is called through.
fn same(one: &Weak<dyn Room>, other: &Weak<dyn Room>) -> bool {
    std::ptr::addr_eq(one.as_ptr(), other.as_ptr())
}

/// The same conversation of the same agent.
impl PartialEq for Audience {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Audience {}

impl std::fmt::Debug for Audience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Audience({} rooms)", self.lock().len())
    }
}

/// Who was told a message already: who is in two rooms with the speaker hears it once, and the speaker not at all.
///
/// ```
/// use agentscope_core::{Audience, Told};
///
/// let (speaker, listener) = (Audience::new(), Audience::new());
/// let mut told = Told::by(&speaker);
/// assert!(!told.first_time(&speaker));
/// assert!(told.first_time(&listener) && !told.first_time(&listener));
/// ```
pub struct Told {
    speaker: Audience,
    /// `None` where there is one room, whose members differ.
    others: Option<HashSet<usize>>,
}

impl Told {
    /// Nobody yet, of what `speaker` says.
    pub fn by(speaker: &Audience) -> Self {
        Self { speaker: speaker.clone(), others: Some(HashSet::new()) }
    }

    /// Whether `listener` is to be told: not if it is the speaker, nor if this was asked before.
    pub fn first_time(&mut self, listener: &Audience) -> bool {
        *listener != self.speaker
            && self.others.as_mut().is_none_or(|others| others.insert(listener.address()))
    }
}
