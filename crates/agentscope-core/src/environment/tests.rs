use super::*;
use crate::testing::conformance;
use serde_json::json;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

#[derive(Deserialize, schemars::JsonSchema)]
struct Add {
    /// How much.
    amount: u64,
}

fn sum() -> World<u64> {
    World::new("sum", 0)
        .action("add", "Adds to the sum.", |sum, add: Add, _| {
            *sum += add.amount;
            Ok(*sum)
        })
        .action("break", "Panics.", |_, (), _| -> Result<()> { panic!("it broke") })
        .action("refuse", "Fails.", |_, (), _| Err::<(), _>(Error::new(ErrorKind::Refused, "no")))
        .reading("total", "The sum.", |sum| *sum)
}

fn ear() -> (Arc<Mutex<Vec<Happened>>>, Listener) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let listener = Listener::new(move |_, happened| {
        ear.lock().unwrap().push(happened);
        async { Ok(()) }
    });
    (heard, listener)
}

#[tokio::test(start_paused = true)]
async fn every_ready_environment_keeps_the_laws() {
    let set = Action::new("set", json!({"value": 7}));
    conformance::environment(Arc::new(variable("v", 1_u32)), set).await;
    conformance::environment(Arc::new(item("lamp")), Action::new("acquire", ()).by("Alice")).await;
    let go = Action::new("move", json!({"x": 1, "y": 2})).by("Alice");
    conformance::environment(Arc::new(map("park", 9.0, 9.0)), go).await;
    let note = Action::new("note", json!({"text": "It rains."})).by("Alice");
    conformance::environment(Arc::new(timeline("diary", 3)), note).await;
    conformance::environment(Arc::new(sum()), Action::new("add", json!({"amount": 1}))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn actions_of_many_tasks_happen_one_after_the_other_and_are_heard_in_that_order() {
    let sum = sum();
    let (heard, listener) = ear();
    let listening = sum.listen(listener);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let sum = sum.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    sum.perform::<u64>("add", json!({"amount": 1})).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    listening.settled().await;
    let totals: Vec<u64> = heard.lock().unwrap().iter().filter_map(|it| it.result.as_u64()).collect();
    assert_eq!(totals, (1..=800).collect::<Vec<_>>());
    assert_eq!(sum.with(|sum| *sum), 800);
}

#[tokio::test]
async fn what_failed_or_only_read_is_told_to_nobody() {
    let sum = sum();
    let (heard, listener) = ear();
    let _listening = sum.listen(listener);
    assert_eq!(sum.perform::<()>("refuse", ()).await.unwrap_err().kind(), ErrorKind::Refused);
    let broken = sum.perform::<()>("break", ()).await.unwrap_err();
    assert!(broken.message().contains("`break` of `sum` panicked") && broken.message().contains("it broke"));
    assert_eq!(sum.perform::<u64>("total", ()).await.unwrap(), 0);
    sum.settled().await;
    assert!(heard.lock().unwrap().is_empty());
    assert_eq!(sum.perform::<u64>("add", json!({"amount": 2})).await.unwrap(), 2, "it goes on after a panic");
}

#[tokio::test]
async fn what_is_wrong_with_an_action_is_said_with_what_there_is() {
    let sum = sum();
    let message = async |action, arguments: Value| {
        sum.perform::<Value>(action, arguments).await.unwrap_err().message().to_owned()
    };
    assert_eq!(
        message("subtract", json!({})).await,
        "`sum` has no action `subtract`; there is: add, break, refuse, total"
    );
    assert!(
        message("add", json!({"amount": "two"}))
            .await
            .contains("the arguments of `add` do not fit: at `amount`")
    );
    assert!(message("add", json!({})).await.contains("missing field `amount`"));
    assert!(message("total", json!("it")).await.contains("the arguments of `total` do not fit"));
    assert!(sum.perform::<u64>("total", json!({"of": "it"})).await.is_ok(), "as models write it");
    let wrong_type = sum.perform::<String>("total", ()).await.unwrap_err();
    assert_eq!(wrong_type.kind(), ErrorKind::Protocol);
    assert!(wrong_type.message().starts_with("the result of `total` of `sum` does not fit the type"));
}

#[tokio::test]
async fn an_action_within_an_action_is_refused_and_does_not_wait_for_ever() {
    use futures_util::FutureExt;
    let one = sum();
    let inner = one.clone();
    let add = move || inner.perform::<u64>("add", json!({"amount": 1})).now_or_never().unwrap();
    let again = add.clone();
    let outer = one.clone().action("twice", "Adds within an action.", move |_, (), _| again());
    let refused = outer.perform::<u64>("twice", ()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.message().starts_with("`add` of `sum` was done within an action"), "{refused}");
    assert!(one.with(|_| add()).is_err());
    assert_eq!(one.perform::<u64>("add", json!({"amount": 1})).await.unwrap(), 1, "it goes on");
}

#[tokio::test]
async fn children_are_found_by_path_and_can_come_and_go() {
    let house = World::new("house", ()).child(World::new("kitchen", ()).child(variable("light", false)));
    assert!(house.find("kitchen/light").is_ok());
    let wrong = house.find("kitchen/lamp").err().unwrap();
    assert_eq!(wrong.message(), "there is no `lamp` in `kitchen`; there is: light");
    assert_eq!(house.find("").err().unwrap().kind(), ErrorKind::NotFound);
    assert!(house.add_child(variable("kitchen", 1)).is_some(), "the former one comes out");
    assert!(house.remove_child("kitchen").is_some() && house.remove_child("kitchen").is_none());
    assert!(house.children().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_too_slow_misses_what_finds_no_place_and_that_is_counted() {
    let sum = sum();
    let slow = Listener::new(|_, _| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Ok(())
    });
    let listening = sum.listen(slow.queue_limit(2).time_limit(Duration::from_secs(60)));
    for _ in 0..6 {
        sum.perform::<u64>("add", json!({"amount": 1})).await.unwrap();
        tokio::task::yield_now().await; // the first one leaves the queue
    }
    listening.settled().await;
    let heard = listening.heard();
    assert_eq!((heard.heard, heard.failed, heard.missed), (3, 0, 3));
    assert!(heard.last_error.unwrap().message().contains("raise its queue_limit"));
}

#[tokio::test(start_paused = true)]
async fn a_listening_that_is_dropped_stops_in_the_middle_of_an_event() {
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (sum, ended) = (sum(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&ended);
    let listening = sum.on("add", move |_, _| {
        let count = Count(Arc::clone(&count));
        async move {
            std::future::pending::<()>().await;
            drop(count);
            Ok(())
        }
    });
    for _ in 0..3 {
        sum.perform::<u64>("add", json!({"amount": 1})).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ended.load(Ordering::SeqCst), 0);
    drop(listening);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ended.load(Ordering::SeqCst), 1, "the one that was being heard, and no other began");
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_let_go_of_its_own_listening_and_stay_by_keep() {
    let sum = sum();
    let (own, calls) = (Arc::new(Mutex::new(None)), Arc::new(AtomicUsize::new(0)));
    let (to_drop, count) = (Arc::clone(&own), Arc::clone(&calls));
    let once = sum.on("add", move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        let to_drop = to_drop.lock().unwrap().take();
        async move {
            drop(to_drop);
            Ok(())
        }
    });
    *own.lock().unwrap() = Some(once);
    let (heard, listener) = ear();
    sum.listen(listener).keep();
    for _ in 0..3 {
        sum.perform::<u64>("add", json!({"amount": 1})).await.unwrap();
        sum.settled().await;
    }
    assert_eq!((calls.load(Ordering::SeqCst), heard.lock().unwrap().len()), (1, 3));
}

#[test]
fn a_runtime_that_ends_ends_no_listener_for_good() {
    let sum = sum();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let hangs = AtomicUsize::new(1);
    let listening = sum.on("add", move |_, _| {
        let hangs = hangs.swap(0, Ordering::SeqCst) == 1;
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    });
    let add = || sum.perform::<u64>("add", json!({"amount": 1}));
    runtime().block_on(async {
        add().await.unwrap();
        tokio::task::yield_now().await;
    });
    runtime().block_on(async {
        add().await.unwrap();
        listening.settled().await;
    });
    assert_eq!(listening.heard().heard, 1, "the second; the first went with its runtime");
    futures_util::FutureExt::now_or_never(add()).unwrap().unwrap(); // without any runtime
    assert_eq!(listening.heard().missed, 1);
}

#[tokio::test]
async fn what_one_holds_nobody_else_takes_or_gives_back() {
    let lamp = item("lamp");
    let nobody = lamp.perform::<()>("acquire", ()).await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::InvalidInput);
    assert_eq!(lamp.perform_by::<()>("Bob", "release", ()).await.unwrap_err().kind(), ErrorKind::Refused);
    lamp.perform_by::<()>("Alice", "acquire", ()).await.unwrap();
    lamp.perform_by::<()>("Alice", "acquire", ()).await.unwrap();
    assert_eq!(lamp.perform_by::<()>("Bob", "release", ()).await.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(lamp.perform::<Option<String>>("holder", ()).await.unwrap().as_deref(), Some("Alice"));
}

#[tokio::test]
async fn a_place_that_is_no_number_or_beyond_the_border_is_refused() {
    let park = map("park", 10.0, 10.0);
    for (x, y) in [(-0.1, 0.0), (0.0, 10.1), (11.0, 0.0)] {
        let refused = park.perform_by::<()>("Bob", "move", json!({"x": x, "y": y})).await.unwrap_err();
        assert_eq!(refused.message(), "the map goes from 0, 0 to 10, 10: stay on it");
    }
    let absent = park.perform_by::<Value>("Bob", "look", json!({"distance": 1})).await.unwrap_err();
    assert_eq!(absent.message(), "`Bob` is not on the map: move there first");
    assert!(park.with(|map| map.places.is_empty()));
}
