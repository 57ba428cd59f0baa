//! What every [`Environment`] has to do.

use super::{in_time, require};
use crate::{
    context::Context,
    environment::{Action, Environment, Happened, Heard, Listener},
    error::{Error, ErrorKind, Result},
    interrupt::{Interrupt, Reason},
};
use futures_util::FutureExt;
use serde_json::Value;
use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How long a listener of the suite takes that takes long.
const SLOW: Duration = Duration::from_secs(600);

/// How long an action may take, which waits for no listener.
const SOON: Duration = Duration::from_secs(10);

/// After how many actions a listener gives up that acts on what it causes itself.
const ENOUGH: usize = 1000;

/// How many act at the same time.
const AT_ONCE: usize = 16;

/// Runs the suite of an environment. `good` is an action that changes something and succeeds as often as it is done, some fifty
/// times; give it nothing that matters to act on. It takes a while on the real clock, so let the test's clock be paused.
///
/// It holds the environment to this: what it offers are tools that providers take; a good action succeeds, and one that does
/// not exist is [`ErrorKind::NotFound`]; who listens hears each action once, in order and with its result, until the guard is
/// dropped; one that is slow, fails or panics troubles nobody else; one that acts is heard in turn, and one that acts on what it
/// causes itself comes to an end; an action of somebody who was interrupted does not happen.
///
/// ```
/// use agentscope_core::{environment::{Action, variable}, testing::conformance};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let good = Action::new("set", serde_json::json!({"value": true}));
/// conformance::environment(Arc::new(variable("light", false)), good).await;
/// # }
/// ```
///
/// # Panics
/// With the law that the environment breaks.
pub async fn environment(environment: Arc<dyn Environment>, good: Action) {
    what_it_offers_can_be_offered(&*environment, &good);
    what_does_not_exist_is_not_found(&*environment).await;
    each_hears_all_in_order(&environment, &good).await;
    who_does_not_listen_any_more_hears_nothing(&environment, &good).await;
    bad_listeners_trouble_nobody(&environment, &good).await;
    a_listener_may_act(&environment, &good).await;
    who_acts_on_what_it_causes_comes_to_an_end(&environment, &good).await;
    what_was_interrupted_does_not_happen(&environment, &good).await;
}

fn what_it_offers_can_be_offered(environment: &dyn Environment, good: &Action) {
    let actions = environment.actions();
    let law = "an environment offers the actions that it has";
    let offered = actions.iter().find(|spec| spec.name == good.name);
    require(offered.is_some(), law, || format!("`{}` is not among them", good.name));
    let read_only = offered.is_some_and(|spec| spec.read_only);
    require(!read_only, "an action that is read-only changes nothing", || {
        format!("`{}` is read-only, which the suite cannot listen to", good.name)
    });
    for spec in actions {
        super::tool::the_spec_is_one_that_providers_take(&spec);
    }
}

async fn act(environment: &dyn Environment, action: &Action) -> Result<Value> {
    let law = "an action is over some day, whoever listens";
    in_time(law, environment.act(action.clone(), Context::new())).await
}

async fn good_act(environment: &dyn Environment, good: &Action) -> Value {
    let result = act(environment, good).await;
    require(result.is_ok(), "a good action succeeds", || format!("it ended as {result:?}"));
    result.unwrap_or_default()
}

async fn what_does_not_exist_is_not_found(environment: &dyn Environment) {
    let result = act(environment, &Action::new("no-such-action", Value::Null)).await;
    let law = "an action that does not exist is an error of the kind `not_found`";
    let refused = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    require(refused, law, || format!("it ended as {result:?}"));
}

/// A listener that writes down what it hears.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<Happened>>>);

impl Ear {
    fn listener(&self) -> Listener {
        let this = self.clone();
        Listener::new(move |_, happened| {
            this.heard().push(happened);
            async { Ok(()) }
        })
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Vec<Happened>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn each_hears_all_in_order(environment: &Arc<dyn Environment>, good: &Action) {
    let law = "who listens hears each action once, in order and with its result";
    let (one, other) = (Ear::default(), Ear::default());
    let listening = [environment.listen(one.listener()), environment.listen(other.listener())];
    let acting = (0..AT_ONCE).map(|_| good_act(&**environment, good));
    let mut results = futures_util::future::join_all(acting).await;
    for listening in &listening {
        in_time(law, listening.settled()).await;
    }
    let heard = one.heard().clone();
    require(heard.len() == AT_ONCE, law, || format!("{AT_ONCE} were done and {} heard", heard.len()));
    require(heard == *other.heard(), law, || "two who listen heard two orders".to_owned());
    require(heard.is_sorted_by(|one, next| one.seq < next.seq), law, || "they came out of order".to_owned());
    for happened in heard {
        let same = (&happened.action, &happened.by) == (&good.name, &good.by);
        require(same && happened.arguments == good.arguments, law, || format!("it heard {happened:?}"));
        let result = results.iter().position(|result| *result == happened.result);
        require(result.is_some(), law, || format!("{} was nobody's result", happened.result));
        results.swap_remove(result.unwrap_or_default());
    }
}

async fn who_does_not_listen_any_more_hears_nothing(environment: &Arc<dyn Environment>, good: &Action) {
    let law = "who let go of its listening hears nothing more";
    let ear = Ear::default();
    let listening = environment.listen(ear.listener());
    good_act(&**environment, good).await;
    in_time(law, listening.settled()).await;
    drop(listening);
    good_act(&**environment, good).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let heard = ear.heard().len();
    require(heard == 1, law, || format!("it heard {heard} actions of the one that it was there for"));
    require(Arc::strong_count(&ear.0) == 1, law, || "it is still kept".to_owned());
}

/// What became of one action for a listener like this.
async fn told(
    environment: &Arc<dyn Environment>,
    good: &Action,
    hear: impl Future<Output = Result<()>> + Send + 'static,
) -> Heard {
    let law = "a listener that is slow, fails or panics is told of, and troubles nobody else";
    let (hear, ear) = (hear.shared(), Ear::default());
    let bad = Listener::new(move |_, _| hear.clone()).time_limit(SLOW / 2);
    let listening = [environment.listen(bad), environment.listen(ear.listener())];
    let start = tokio::time::Instant::now();
    good_act(&**environment, good).await;
    require(start.elapsed() < SOON, law, || "the action waited for it".to_owned());
    in_time(law, listening[1].settled()).await;
    require(ear.heard().len() == 1, law, || "another one did not hear".to_owned());
    if tokio::time::timeout(SLOW, listening[0].settled()).await.is_err() {
        super::broken(law, "it went on after its time");
    }
    listening[0].heard()
}

async fn bad_listeners_trouble_nobody(environment: &Arc<dyn Environment>, good: &Action) {
    let law = "a listener that is slow, fails or panics is told of, and troubles nobody else";
    let fails = async { Err(Error::new(ErrorKind::Tool, "as the suite wants it")) };
    #[expect(clippy::panic, reason = "the suite wants to see what becomes of it")]
    let panics = async { panic!("as the suite wants it") };
    let slow = async {
        tokio::time::sleep(SLOW).await;
        Ok(())
    };
    for (what, heard) in [
        ("fails", told(environment, good, fails).await),
        ("panics", told(environment, good, panics).await),
        ("is slow", told(environment, good, slow).await),
    ] {
        require(heard.failed == 1 && heard.last_error.is_some(), law, || {
            format!("one that {what} is told of as {heard:?}")
        });
    }
}

async fn a_listener_may_act(environment: &Arc<dyn Environment>, good: &Action) {
    let law = "a listener may act on the environment, and that is heard in turn";
    let again = good.clone();
    let acts = Listener::new(move |environment, happened| {
        let again = Action { depth: happened.depth + 1, ..again.clone() };
        async move {
            let first = happened.depth == 0;
            if first { environment.act(again, Context::new()).await.map(drop) } else { Ok(()) }
        }
    });
    let listening = environment.listen(acts);
    good_act(&**environment, good).await;
    in_time(law, listening.settled()).await;
    let heard = listening.heard();
    require(heard.heard == 2 && heard.failed == 0, law, || format!("what came of it is {heard:?}"));
}

async fn who_acts_on_what_it_causes_comes_to_an_end(environment: &Arc<dyn Environment>, good: &Action) {
    let law = "a listener that acts on what it causes itself is refused some day";
    let (again, heard) = (good.clone(), AtomicUsize::new(0));
    let listening = environment.listen(Listener::new(move |environment, _| {
        let enough = heard.fetch_add(1, Ordering::Relaxed) > ENOUGH;
        let action = Action::new(again.name.clone(), again.arguments.clone());
        let action = Action { by: again.by.clone(), ..action };
        async move { if enough { Ok(()) } else { environment.act(action, Context::new()).await.map(drop) } }
    }));
    good_act(&**environment, good).await;
    in_time(law, listening.settled()).await;
    let last_error = listening.heard().last_error;
    let refused = last_error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Conflict);
    require(refused, law, || format!("the last error is {last_error:?}"));
}

async fn what_was_interrupted_does_not_happen(environment: &Arc<dyn Environment>, good: &Action) {
    let law = "an action of somebody who was interrupted does not happen";
    let ear = Ear::default();
    let listening = environment.listen(ear.listener());
    drop(environment.act(good.clone(), Context::new())); // was never polled
    let stop = Interrupt::new();
    stop.trigger(Reason::User(None));
    let cx = Context::new().with_interrupt(stop);
    let result = in_time(law, environment.act(good.clone(), cx)).await;
    in_time(law, listening.settled()).await;
    require(result.is_err() && ear.heard().is_empty(), law, || format!("it ended as {result:?}"));
}
