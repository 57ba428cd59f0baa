//! A tool that asks is put to the person.

use super::{
    person::{Ask, Kind, Said},
    screen::escaped,
    signals::Signal,
    talk::Talk,
};
use agentscope_core::{Decision, Input, Map, Msg, Name, Result, ToolCall};
use std::future::Future;

const QUESTION: &str = "  run it? [y]es, [n]o, [a]lways, ne[v]er, [e]dit: ";

/// What the model is told of a tool that is denied for the rest of the talk.
const NEVER: &str = "the user does not want this tool to be run in this conversation: do not call it again";

/// What the person decided about the calls of a reply.
pub(super) struct Answer {
    pub(super) input: Input,
    /// They want to leave.
    pub(super) leave: bool,
}

/// What the person decided about a call.
enum Choice {
    Decided(Decision),
    /// The reply shall end.
    Abort,
    Leave,
}

impl<S, F> Talk<S>
where
    S: Fn() -> F + Send,
    F: Future<Output = Signal> + Send + Unpin,
{
    /// Asks about each of the calls that wait.
    pub(super) async fn decide_all(&mut self, reply: &Msg, calls: Vec<ToolCall>) -> Result<Answer> {
        let mut decisions = Vec::new();
        let mut leave = false;
        let mut allowed: Vec<Name> = Vec::new();
        for call in calls {
            if allowed.contains(&call.name) {
                continue; // it was just allowed for good
            }
            let decision = if leave {
                Decision::deny(call.id.clone())
            } else {
                match self.decide(&call).await? {
                    Choice::Decided(decision) => decision,
                    Choice::Abort => return Ok(Answer { input: Input::Abort, leave }),
                    Choice::Leave => {
                        leave = true;
                        Decision::deny(call.id.clone()).note("nobody is there to approve it")
                    }
                }
            };
            allowed.extend(decision.rules.iter().cloned());
            decisions.push(decision.of_reply(&reply.id));
        }
        Ok(Answer { input: Input::Decisions(decisions), leave })
    }

    async fn decide(&mut self, call: &ToolCall) -> Result<Choice> {
        self.person.forget();
        // Whole: nobody approves what they do not see.
        self.screen.line(&format!("? {} {}", call.name, escaped(&call.input))).await?;
        if self.denied.contains(&call.name) {
            self.screen.note("  denied for the rest of this talk").await?;
            return Ok(Choice::Decided(Decision::deny(call.id.clone()).note(NEVER)));
        }
        loop {
            let Some(answer) = self.answer(QUESTION, "").await? else { return Ok(Choice::Leave) };
            let answer = match answer {
                Said::Line(answer) => answer,
                Said::Refused(why) => {
                    return Ok(Choice::Decided(Decision::deny(call.id.clone()).note(why)));
                }
                Said::Interrupt | Said::End => return Ok(Choice::Abort),
            };
            let (word, reason) = answer.trim().split_once(char::is_whitespace).unwrap_or((answer.trim(), ""));
            let deny = Decision::deny(call.id.clone());
            return Ok(Choice::Decided(match word.to_lowercase().as_str() {
                "y" | "yes" => Decision::allow(call.id.clone()),
                "a" | "always" => Decision::allow(call.id.clone()).always(call.name.clone()),
                "n" | "no" if reason.trim().is_empty() => deny,
                "n" | "no" => deny.note(reason.trim()),
                "v" | "never" => {
                    self.denied.insert(call.name.clone());
                    deny.note(NEVER)
                }
                "e" | "edit" => match self.edit(call).await? {
                    Some(decision) => decision,
                    None if self.interactive => continue,
                    None => deny.note("its arguments were to be edited, and were not"),
                },
                "/exit" => return Ok(Choice::Leave),
                _ if self.interactive => continue,
                // Through a pipe, what is no answer is no permission.
                _ => deny.note(format!("the answer was: {}", answer.trim())),
            }));
        }
    }

    /// The call with the arguments that the person gives it; `None` if they do not.
    async fn edit(&mut self, call: &ToolCall) -> Result<Option<Decision>> {
        let mut text = escaped(&call.input);
        loop {
            let answer = self.answer("  arguments: ", &text).await?;
            let Some(Said::Line(line)) = answer else { return Ok(None) };
            if line.trim().is_empty() {
                return Ok(None);
            }
            match serde_json::from_str::<Map>(&line) {
                Ok(_) => return Ok(Some(Decision::allow(call.id.clone()).edited(line.trim()))),
                Err(error) => {
                    self.screen.line(&format!("  that is no JSON object: {error}")).await?;
                    if !self.interactive {
                        return Ok(None);
                    }
                    text = line;
                }
            }
        }
    }

    /// What the person answers; `None` if they leave, which through a pipe is all but a line.
    async fn answer(&mut self, prompt: &str, text: &str) -> Result<Option<Said>> {
        let said = self.listen(Ask { prompt, text, kind: Kind::Answer }).await?;
        if !self.interactive {
            let shown = match &said {
                Said::Line(line) => line,
                Said::Refused(why) => &format!("({why}: no)"),
                Said::Interrupt | Said::End => "(end of input: no)",
            };
            self.screen.line(shown).await?;
        }
        Ok(match said {
            Said::End => None,
            Said::Interrupt if !self.interactive => None,
            said => Some(said),
        })
    }
}
