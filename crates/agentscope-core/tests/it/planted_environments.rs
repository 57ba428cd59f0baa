//! Environments with one defect each, which the suite of environments names.

use agentscope_core::{
    BoxFuture, Context, Environment, Error, ErrorKind, Name, Result, ToolSpec, World,
    environment::{Action, Happened, Listener, Listeners, Listening, variable},
    testing::conformance,
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[derive(Clone, Copy, PartialEq)]
enum Defect {
    OffersNothing,
    AnswersToAnything,
    TellsTwice,
    TellsAnotherResult,
    CountsBackwards,
    WaitsForListeners,
    ActsAtOnce,
    ActsForTheInterrupted,
    ActsForEver,
    KeepsListeners,
}

/// An environment around a good one, with a defect.
#[derive(Clone)]
struct Broken {
    good: World<u32>,
    listeners: Listeners,
    seq: Arc<AtomicU64>,
    defect: Defect,
}

impl Broken {
    fn tell(&self, action: Action, mut result: Value) {
        let mut seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        match self.defect {
            Defect::CountsBackwards => seq = u64::MAX - seq,
            Defect::TellsAnotherResult => result = json!("another"),
            _ => {}
        }
        let happened = Happened::new(self.name().clone(), seq, action, result);
        let this: Arc<dyn Environment> = Arc::new(self.clone());
        if self.defect == Defect::TellsTwice {
            self.listeners.tell(&this, happened.clone());
        }
        self.listeners.tell(&this, happened);
    }
}

impl Environment for Broken {
    fn name(&self) -> &Name {
        self.good.name()
    }

    fn actions(&self) -> Vec<Arc<ToolSpec>> {
        if self.defect == Defect::OffersNothing { Vec::new() } else { self.good.actions() }
    }

    fn act(&self, action: Action, cx: Context) -> BoxFuture<'static, Result<Value>> {
        let this = self.clone();
        if self.defect == Defect::ActsAtOnce && action.name == "set" {
            let checked = action.check(&cx);
            if checked.is_ok() {
                this.tell(action, Value::Null);
            }
            return Box::pin(async { checked.map(|()| Value::Null) });
        }
        Box::pin(async move {
            let known = this.good.actions().iter().any(|spec| spec.name == action.name);
            match this.defect {
                Defect::AnswersToAnything if !known => return Ok(Value::Null),
                Defect::ActsForTheInterrupted => action.check(&Context::new())?,
                Defect::ActsForEver => {}
                _ => action.check(&cx)?,
            }
            if !known {
                return Err(Error::new(ErrorKind::NotFound, "there is no such action"));
            }
            this.tell(action, Value::Null);
            if this.defect == Defect::WaitsForListeners {
                this.listeners.settled().await;
            }
            Ok(Value::Null)
        })
    }

    fn listen(&self, listener: Listener) -> Listening {
        if self.defect != Defect::KeepsListeners {
            return self.listeners.add(listener);
        }
        self.listeners.add(listener).keep();
        Listeners::default().add(Listener::new(|_, _| async { Ok(()) }))
    }
}

async fn suite_of(defect: Defect) {
    let good = variable("light", 0_u32);
    let broken = Broken { good, listeners: Listeners::default(), seq: Arc::default(), defect };
    conformance::environment(Arc::new(broken), Action::new("set", json!({"value": 1}))).await;
}

macro_rules! planted {
    ($($name:ident: $defect:ident => $law:literal;)*) => {$(
        #[tokio::test(start_paused = true)]
        #[should_panic(expected = $law)]
        async fn $name() {
            suite_of(Defect::$defect).await;
        }
    )*};
}

planted! {
    an_environment_that_offers_nothing: OffersNothing => "an environment offers the actions that it has";
    an_environment_that_answers_to_anything: AnswersToAnything => "an action that does not exist is an error";
    an_environment_that_tells_twice: TellsTwice => "hears each action once";
    an_environment_that_tells_another_result: TellsAnotherResult => "and with its result";
    an_environment_that_tells_out_of_order: CountsBackwards => "they came out of order";
    an_environment_that_waits_for_its_listeners: WaitsForListeners => "an action is over some day, whoever listens";
    an_environment_that_acts_before_it_is_polled: ActsAtOnce => "was interrupted does not happen";
    an_environment_that_acts_for_the_interrupted: ActsForTheInterrupted => "was interrupted does not happen";
    an_environment_that_acts_for_ever: ActsForEver => "acts on what it causes itself is refused some day";
    an_environment_that_keeps_its_listeners: KeepsListeners => "hears each action once";
}
