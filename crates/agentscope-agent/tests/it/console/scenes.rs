//! The agents with which the tests of the console talk.

use crate::support::Probe;
use agentscope_agent::{ReActAgent, console};
use agentscope_core::{
    Agent, AgentCard, BoxFuture, Context, EventStream, ModelCard, ModelDelta, ModelRequest, Msg,
    ReplyRequest, Result, Role, ScriptedModel, ToolSpec, model_fn,
    testing::{call, say},
};
use serde_json::json;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

const MARKDOWN: &str = "\
# Three ways to see it

**Shanghai** and *Beijing* are `municipalities`, see [the list](https://example.org/cities):

- **Shanghai** is the largest
- 2*3*4 and snake_case_name are shown as they are

| 城市 | 人口 |
|:--|--:|
| Shanghai | 24.9 M |
| Beijing | 21.9 M |

```rust
let population = 24.9;
```
";

/// Talks until the person leaves.
pub(super) async fn play(scene: &str, place: PathBuf) -> Result<()> {
    match scene {
        "stream" => console(stream()).await,
        "tool" => console(friday([call("c1", "wait", json!({}))]).tool(waiting("wait", true))).await,
        "stubborn" => {
            let script = [call("c1", "stubborn", json!({}))];
            console(friday(script).tool(waiting("stubborn", false)).grace(Duration::from_millis(500))).await
        }
        "endless" => {
            let agent = friday([call("c1", "endless", json!({}))]).tool(endless());
            console(agent.grace(Duration::from_millis(200))).await?;
            println!("(the talk is over)");
            Ok(())
        }
        #[cfg(target_os = "linux")]
        "listener" => {
            let mut listener =
                tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
            console(echo()).await?;
            println!("(the talk is over)");
            listener.recv().await;
            println!("(told to end)");
            Ok(())
        }
        "twice" => {
            console(echo()).await?;
            println!("(the talk is over)");
            console(echo()).await
        }
        "approve" => console(approve()).await,
        "markdown" => console(friday([say(MARKDOWN).chunks(3).every(Duration::from_millis(5))])).await,
        "steer" => console(Told::new()).await,
        "panic" => console(Moody(echo(), AtomicUsize::new(0))).await,
        _ if place.as_os_str().is_empty() => console(echo()).await,
        _ => console(echo()).history(place.join("history")).await,
    }
}

fn friday(script: impl IntoIterator<Item = agentscope_core::testing::Line>) -> ReActAgent {
    ReActAgent::new("Friday", ScriptedModel::new(script).may_leave_lines())
}

fn stream() -> ReActAgent {
    let numbers: Vec<String> = (1..=100).map(|it| it.to_string()).collect();
    friday([say(numbers.join(" ")).every(Duration::from_millis(100)), say("Still here.")])
}

/// A tool that runs until it is interrupted, or goes on all the same.
fn waiting(name: &str, heeds: bool) -> Probe {
    let tool = Probe::new(name, move |_, cx| async move {
        if heeds {
            cx.interrupt().triggered().await;
        } else {
            std::future::pending::<()>().await;
        }
        Ok("ended".into())
    });
    tool.with(ToolSpec::read_only)
}

/// A tool that blocks a thread for ever, as a plain `fn` can.
fn endless() -> Probe {
    let tool = Probe::new("endless", |_, _| async {
        let sleep = || std::thread::sleep(Duration::from_secs(3600));
        tokio::task::spawn_blocking(sleep).await.unwrap();
        Ok("ended".into())
    });
    tool.with(ToolSpec::read_only)
}

fn approve() -> ReActAgent {
    let names = ["act", "act", "act", "wipe", "wipe", "act", "act"];
    let calls = names.iter().zip(1..).map(|(name, n)| call(format!("c{n}"), *name, json!({"n": n})));
    let does = |name: &str| Probe::new(name, |req, _| async move { Ok(format!("did {}", req.input["n"])) });
    friday(calls.chain([say("Done.")])).tool(does("act")).tool(does("wipe"))
}

/// Says what it was told and how many lines that were; looks when it is told so.
fn echo() -> ReActAgent {
    let model = model_fn(ModelCard::new("echo"), |req: ModelRequest| async move {
        let last = req.messages.last().cloned();
        let Some(last) = last.filter(|msg| msg.role == Role::User) else {
            return Ok(vec![ModelDelta::text("I looked.")]);
        };
        let text = last.text();
        if text == "look" {
            return Ok(vec![ModelDelta::tool_call(
                0,
                "c1",
                "look",
                json!({"x": "x".repeat(100)}).to_string(),
            )]);
        }
        Ok(vec![ModelDelta::text(format!("{text} ({} lines)", text.lines().count()))])
    });
    let look = Probe::new("look", |_, _| async { Ok("seen".into()) });
    ReActAgent::new("Friday", model).tool(look.with(ToolSpec::read_only))
}

/// Works until it is told something.
struct Told {
    agent: ReActAgent,
    told: Arc<Notify>,
}

impl Told {
    fn new() -> Self {
        let told = Arc::new(Notify::new());
        let wait = Arc::clone(&told);
        let tool = Probe::new("told", move |_, _| {
            let wait = Arc::clone(&wait);
            async move {
                wait.notified().await;
                Ok("told".into())
            }
        });
        let model = model_fn(ModelCard::new("listener"), |req: ModelRequest| async move {
            let heard = req.messages.iter().flat_map(|msg| &msg.content).find_map(|block| match block {
                agentscope_core::ContentBlock::Heard(msg) => Some(msg.text()),
                _ => None,
            });
            Ok(match heard {
                Some(text) => vec![ModelDelta::text(format!("I heard: {text}"))],
                None => vec![ModelDelta::tool_call(0, "c1", "told", "{}")],
            })
        });
        let agent = ReActAgent::new("Friday", model).tool(tool.with(ToolSpec::read_only));
        Self { agent, told }
    }
}

impl Agent for Told {
    fn card(&self) -> &AgentCard {
        self.agent.card()
    }
    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        self.agent.call(req, cx)
    }
    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        let heard = self.agent.observe(msgs);
        let told = Arc::clone(&self.told);
        Box::pin(async move {
            heard.await?;
            told.notify_one();
            Ok(())
        })
    }
}

/// Panics where the console asks who it is.
struct Moody(ReActAgent, AtomicUsize);

impl Agent for Moody {
    fn card(&self) -> &AgentCard {
        assert!(self.1.fetch_add(1, Ordering::Relaxed) == usize::MAX, "I do not tell");
        self.0.card()
    }
    fn call(&self, req: ReplyRequest, cx: Context) -> EventStream {
        self.0.call(req, cx)
    }
    fn observe(&self, msgs: Vec<Arc<Msg>>) -> BoxFuture<'static, Result<()>> {
        self.0.observe(msgs)
    }
}
