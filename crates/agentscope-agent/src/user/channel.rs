//! A person who answers from elsewhere: a web page, a chat, another task.

use super::input::{Answer, Question, UserInput};
use agentscope_core::{BoxFuture, Context, Error, ErrorKind, Result};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, oneshot};

/// A person who answers from elsewhere: what they are asked comes out of [`Questions`], and is answered there by its id. One
/// channel may serve many people. At most `limit` questions wait for an answer; one more is refused with
/// [`ErrorKind::Exhausted`].
///
/// ```
/// use agentscope_agent::{UserAgent, user_channel};
/// use agentscope_core::AgentExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let (input, questions) = user_channel(16);
/// let bob = UserAgent::new("Bob", input);
/// let reply = bob.reply("Coffee?").start();
///
/// let question = questions.next().await.unwrap(); // goes to the page as JSON
/// questions.answer(&question.id, "With milk.")?; // what the page sends, at any later time
/// assert_eq!(reply.await?.text(), "With milk.");
/// assert!(questions.answer(&question.id, "And sugar.").is_err(), "it is answered already");
/// # Ok(()) }
/// ```
pub fn user_channel(limit: usize) -> (UserChannel, Questions) {
    let desk = Arc::new(Desk { limit, open: Mutex::default(), news: Notify::new() });
    (UserChannel(Arc::new(Asking(Arc::clone(&desk)))), Questions(Arc::new(Answering(desk))))
}

/// The end of a [`user_channel`] that asks. Clones are the same end; when the last is dropped, there are no more questions.
///
/// ```
/// use agentscope_agent::{UserAgent, user_channel};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (input, questions) = user_channel(16);
/// let people = ["Alice", "Bob"].map(|name| UserAgent::new(name, input.clone()));
/// drop((input, people));
/// assert!(questions.next().await.is_none());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct UserChannel(Arc<Asking>);

/// The end of a [`user_channel`] that answers. Clones are the same end; when the last is dropped, whoever asks hears that nobody
/// is there.
///
/// ```
/// use agentscope_agent::{UserAgent, user_channel};
/// use agentscope_core::{AgentExt, ErrorKind};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let (input, questions) = user_channel(16);
/// drop(questions);
/// let error = UserAgent::new("Bob", input).reply("Hello?").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Questions(Arc<Answering>);

/// What both ends share.
#[derive(Debug)]
struct Desk {
    limit: usize,
    open: Mutex<Open>,
    /// Something has changed that a listener may wait for.
    news: Notify,
}

#[derive(Debug, Default)]
struct Open {
    /// Oldest first.
    waiting: VecDeque<Waiting>,
    /// The other end is gone.
    nobody_asks: bool,
    nobody_answers: bool,
}

#[derive(Debug)]
struct Waiting {
    question: Question,
    answer: oneshot::Sender<Result<Answer>>,
    /// It was given out by [`Questions::next`].
    told: bool,
}

impl UserInput for UserChannel {
    fn ask(&self, question: Question, _cx: Context) -> BoxFuture<'_, Result<Answer>> {
        Box::pin(async move {
            let desk = &self.0.0;
            let (answer, answered) = oneshot::channel();
            // Taken back when this future is dropped: nobody waits for the answer any more.
            let _place = desk.put(question, answer)?;
            answered.await.unwrap_or_else(|_| Err(nobody()))
        })
    }
}

impl Questions {
    /// The next question that was not given out so far; `None` when nobody is left who could ask.
    pub async fn next(&self) -> Option<Question> {
        let desk = &self.0.0;
        loop {
            let news = desk.news.notified(); // from here on, nothing new is missed
            {
                let mut open = desk.open();
                if let Some(next) = open.waiting.iter_mut().find(|it| !it.told) {
                    next.told = true;
                    return Some(next.question.clone());
                }
                if open.nobody_asks {
                    return None;
                }
            }
            news.await;
        }
    }

    /// All questions that wait for an answer, oldest first: for a page that was loaded again.
    pub fn open(&self) -> Vec<Question> {
        self.0.0.open().waiting.iter().map(|it| it.question.clone()).collect()
    }

    /// Answers the question `id`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it does not wait any more: it was answered, interrupted, or its time was over.
    pub fn answer(&self, id: &str, answer: impl Into<Answer>) -> Result<()> {
        self.settle(id, Ok(answer.into()))
    }

    /// Says that the person does not answer the question `id`, and why: the reply fails with [`ErrorKind::Refused`].
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] as with [`answer`](Self::answer).
    pub fn decline(&self, id: &str, why: impl Into<String>) -> Result<()> {
        self.settle(id, Err(Error::new(ErrorKind::Refused, why)))
    }

    fn settle(&self, id: &str, answer: Result<Answer>) -> Result<()> {
        let waiting = self.0.0.take(id);
        waiting.and_then(|it| it.answer.send(answer).ok()).ok_or_else(|| {
            let message =
                format!("no question `{id}` waits: it was answered or interrupted, so show it no more");
            Error::new(ErrorKind::NotFound, message)
        })
    }
}

impl Desk {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(self: &Arc<Self>, question: Question, answer: oneshot::Sender<Result<Answer>>) -> Result<Place> {
        let place = Place { desk: Arc::clone(self), id: question.id.clone() };
        let mut open = self.open();
        if open.nobody_answers {
            return Err(nobody());
        }
        if open.waiting.len() >= self.limit {
            let message =
                format!("{} questions wait for people already: answer some, or allow more", self.limit);
            return Err(Error::new(ErrorKind::Exhausted, message));
        }
        open.waiting.push_back(Waiting { question, answer, told: false });
        drop(open);
        self.news.notify_waiters();
        Ok(place)
    }

    fn take(&self, id: &str) -> Option<Waiting> {
        let mut open = self.open();
        let at = open.waiting.iter().position(|it| it.question.id == id)?;
        open.waiting.remove(at)
    }
}

fn nobody() -> Error {
    let message = "nobody is there to answer: keep the `Questions` of the channel, and answer them";
    Error::new(ErrorKind::Unavailable, message)
}

/// A question that is given up when this is dropped.
struct Place {
    desk: Arc<Desk>,
    id: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.desk.take(&self.id));
    }
}

#[derive(Debug)]
struct Asking(Arc<Desk>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.open().nobody_asks = true;
        self.0.news.notify_waiters();
    }
}

#[derive(Debug)]
struct Answering(Arc<Desk>);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut open = self.0.open();
        open.nobody_answers = true;
        let left = std::mem::take(&mut open.waiting);
        drop(open);
        drop(left); // whoever asked hears of it
    }
}
