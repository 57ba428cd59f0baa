use super::worker::{MS, Seen, Worker, fold, one_of_each_kind};
use agentscope_core::{
    Agent, AgentCard, AgentExt, BoxFuture, Context, ErrorKind, Event, EventKind, EventStream, Finish, Msg,
    ReplyRequest, Result,
    testing::{Link, LinkConnection},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// Emits given events, without a pause.
struct Emits {
    card: AgentCard,
    kinds: Vec<EventKind>,
}

impl Emits {
    fn new(kinds: Vec<EventKind>) -> Self {
        Self { card: AgentCard::new("Emits"), kinds }
    }
}

impl Agent for Emits {
    fn card(&self) -> &AgentCard {
        &self.card
    }
    fn call(&self, _: ReplyRequest, cx: Context) -> EventStream {
        let kinds = self.kinds.clone();
        EventStream::spawn(cx, move |mut sink, _| async move {
            let mut msg = Arc::new(Msg::assistant("Emits", ""));
            kinds.into_iter().for_each(|kind| sink.emit(&mut msg, kind));
            sink.end(msg, EventKind::ReplyEnd { finish: Finish::Completed, metadata: Default::default() });
            Ok(())
        })
    }
    fn observe(&self, _: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(start_paused = true)]
async fn law_1_every_kind_of_event_survives_the_wire() {
    for kind in one_of_each_kind() {
        let event = Event { reply_id: "r1".into(), epoch: u64::MAX, seq: 7, kind };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event, "{json}");
    }
    let agent = Emits::new(one_of_each_kind());
    let local = Seen::all(agent.call(ReplyRequest::default(), Context::new())).await;
    let linked = Seen::all(Link::serve(agent).agent().reply(()).stream()).await;
    let kinds = |seen: &Seen| seen.events.iter().map(|event| event.kind.clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&local), kinds(&linked));
}

#[test]
fn law_1_a_number_with_a_fraction_is_the_same_on_the_far_side() {
    for number in (1..10_000).map(|n| f64::from(n) / 7.0 / 1e4) {
        let json = json!(number).to_string();
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), json!(number));
    }
}

#[tokio::test(start_paused = true)]
async fn law_7_what_is_asked_in_the_last_of_too_many_events_leaves_the_message_whole() {
    for more in [0, 1, 2000] {
        let words = (0..1024).flat_map(|at| {
            let name = "beat".into();
            [
                EventKind::TextDelta { block: 0, delta: at.to_string() },
                EventKind::Custom { name, value: at.into() },
            ]
        });
        let mut kinds: Vec<_> = words.take(1024).collect();
        kinds.push(EventKind::RequireConfirm { calls: Vec::new() });
        kinds.extend((0..more).map(|at| EventKind::Custom { name: "beat".into(), value: at.into() }));
        let agent = Emits::new(kinds);
        let local = Seen::all(agent.call(ReplyRequest::default(), Context::new())).await;
        let linked = Seen::all(Link::serve(agent).agent().reply(()).stream()).await;
        for seen in [local, linked] {
            let asked = |event: &Event| matches!(event.kind, EventKind::RequireConfirm { .. });
            assert_eq!(seen.events.iter().filter(|event| asked(event)).count(), 1);
            assert!(seen.events.len() <= 1026);
            assert!(seen.checked().text().ends_with("510511"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn law_7_a_slow_reader_over_a_link_slows_nobody_and_what_is_unread_is_bounded() {
    for cut in [false, true] {
        let worker = Worker::new(3000, MS);
        let link = Link::serve(worker.clone());
        let agent = link.agent().lease(Duration::from_secs(600));
        let mut stream = agent.reply("go").stream().start();
        let began = Instant::now();
        sleep(10 * MS).await;
        if cut {
            link.cut();
        }
        let saved = worker.saved().await; // waits for its turn: the reply is over
        assert_eq!(saved.finish, Some(Finish::Completed));
        assert_eq!(began.elapsed().as_secs(), 12, "the reply took its own time");
        let before = link.frames_down();
        link.mend();
        let mut events = Vec::new();
        while let Some(event) = stream.next().await {
            events.push(event.unwrap());
        }
        assert!(events.len() <= 1026, "{} events waited for their reader", events.len());
        let frames = link.frames_down() - before;
        assert!(!cut || frames <= 256 + 1026, "{frames} frames waited for the connection");
        let left_out =
            events.iter().any(|event| matches!(event.kind, EventKind::Resumed { dropped: 1.., .. }));
        assert!(left_out, "what was left out is counted");
        assert_eq!(fold(&events), *saved, "and nothing of the message is missing");
    }
}

async fn answer(connection: &mut LinkConnection) -> Value {
    serde_json::from_str(&connection.recv().await.unwrap()).unwrap()
}

fn call(id: &str) -> String {
    let input = json!({"messages": [{"msg": {"name": "user", "role": "user", "content": "go"}}]});
    json!({"call": {"call_id": id, "request": {"input": input}, "lease_ms": 1000}}).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_makes_no_sense_is_a_typed_error_and_harms_no_reply() {
    let worker = Worker::new(3, MS);
    let link = Link::serve(worker.clone());
    let whole = call("r1");
    let truncated = (0..whole.len()).map(|at| whole[..at].to_owned());
    let wrong = [
        "null",
        "{}",
        "[]",
        "\u{0}",
        r#"{"dance":{}}"#,
        r#"{"call":{"call_id":3}}"#,
        r#"{"interrupt":{"call_id":"r1","reason":"dropped"}}"#,
        r#"{"ack":{"call_id":"r1","upto":null}}"#,
    ]
    .map(str::to_owned);
    for frame in truncated.chain(wrong) {
        let mut connection = link.connect().unwrap();
        assert!(connection.send(&frame).await);
        assert_eq!(answer(&mut connection).await["refused"]["error"]["kind"], "protocol", "{frame}");
        assert_eq!(connection.recv().await, None);
    }
    assert_eq!(worker.mailbox.snapshot().await.unwrap().context.len(), 0);

    let rubbish = [
        r#"{"ack":{"call_id":"r1","upto":nu"#,
        r#"{"ack":{"call_id":"another","upto":null}}"#,
        r#"{"ack":{"call_id":"r1","upto":null,"end":true}}"#,
        &whole,
    ];
    for (frame, id) in rubbish.into_iter().zip(["r2", "r3", "r1", "r4"]) {
        let mut connection = link.connect().unwrap();
        assert!(connection.send(&call(id)).await);
        assert!(answer(&mut connection).await["event"].is_object());
        connection.send(frame).await;
        let last = std::iter::from_fn(|| Some(())).take(50);
        let mut told = false;
        for () in last {
            let Some(frame) = connection.recv().await else { break };
            told |= frame.contains("protocol");
        }
        assert!(told, "{frame}");
        assert_eq!(worker.saved().await.finish, Some(Finish::Completed), "the reply goes on: {frame}");
    }
}

#[tokio::test(start_paused = true)]
async fn to_attach_to_what_is_unknown_is_refused_as_not_found() {
    let link = Link::serve(Worker::new(3, MS));
    let attach = |id: &str, after: Value| json!({"attach": {"call_id": id, "after": after}}).to_string();
    let mut connection = link.connect().unwrap();
    connection.send(&attach("nobody", Value::Null)).await;
    assert_eq!(answer(&mut connection).await["refused"]["error"]["kind"], "not_found");

    let mut first = link.connect().unwrap();
    first.send(&call("r1")).await;
    assert_eq!(answer(&mut first).await["event"]["event"]["seq"], 0);
    assert_eq!(answer(&mut first).await["event"]["event"]["seq"], 1);
    first.send(r#"{"ack":{"call_id":"r1","upto":{"epoch":0,"seq":1}}}"#).await;
    sleep(MS).await;
    let mut second = link.connect().unwrap();
    second.send(&attach("r1", json!({"epoch": 0, "seq": 0}))).await;
    assert_eq!(answer(&mut second).await["refused"]["error"]["kind"], "not_found", "it was acknowledged");
    let mut third = link.connect().unwrap();
    third.send(&attach("r1", json!({"epoch": 0, "seq": 1}))).await;
    assert_eq!(answer(&mut third).await["event"]["event"]["seq"], 2, "what follows is sent again");
    let mut fourth = link.connect().unwrap();
    fourth.send(&attach("r1", json!({"epoch": 0, "seq": 2}))).await;
    assert_eq!(answer(&mut fourth).await["event"]["event"]["seq"], 3, "what was seen is not sent again");
    sleep(3 * Duration::from_secs(1)).await;
    let mut last = link.connect().unwrap();
    drop((first, third, fourth));
    sleep(2 * Duration::from_secs(1)).await;
    last.send(&attach("r1", Value::Null)).await;
    let refused = answer(&mut last).await;
    assert!(refused["refused"]["error"]["message"].as_str().unwrap().contains("lease"), "{refused}");
    let mut again = link.connect().unwrap();
    again.send(&call("r1")).await;
    assert_eq!(answer(&mut again).await["refused"]["error"]["kind"], "not_found", "nothing is done twice");
}

#[tokio::test(start_paused = true)]
async fn a_broken_frame_from_the_host_is_a_protocol_error_and_stops_the_reply() {
    for frames in 0..20 {
        let worker = Worker::new(3, MS);
        let link = Link::serve(worker.clone());
        link.garble_after(frames);
        let error = link.agent().reply("go").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "frame {frames}: {error}");
        sleep(5 * MS).await;
        worker.saved().await;
        assert_eq!(worker.mailbox.waiting(), 0);
    }
}
