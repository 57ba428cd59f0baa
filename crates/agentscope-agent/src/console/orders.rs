//! What the commands of a person do.

use super::{
    command::{COMMANDS, Command, unknown},
    signals::Signal,
    talk::Talk,
    tally::spent,
};
use crate::clean::clean;
use agentscope_core::Result;
use std::future::Future;

/// Keys that are not plain, for `/help`.
const KEYS: [(&str, &str); 5] = [
    ("Alt-Enter, Ctrl-J", "a new line in the message; a paste is one message"),
    ("Up, Down, Ctrl-R", "the lines before"),
    ("typing", "while it works tells it at once; Esc takes it back"),
    ("Ctrl-C", "interrupts the reply; twice, leaves"),
    ("Ctrl-D", "leaves"),
];

impl<S, F> Talk<S>
where
    S: Fn() -> F + Send,
    F: Future<Output = Signal> + Send + Unpin,
{
    /// Does what a command says.
    pub(super) async fn obey(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Help => self.help().await,
            Command::Tools => self.show_tools().await,
            Command::History => self.show_history().await,
            Command::Last(back) => self.show_result(back).await,
            Command::Usage => {
                let spent = spent(self.transcript.usage(), None, self.price);
                self.screen.line(&format!("this talk: {spent}")).await
            }
            Command::Save { file, replace } => self.save(file, replace).await,
            Command::NoNumber(text) => {
                let text = clean(&text);
                self.screen
                    .line(&format!("`{text}` is no number: /last 2 shows the second last result"))
                    .await
            }
            Command::Unknown(name) => self.screen.line(&unknown(&name)).await,
            Command::Nothing | Command::Say(_) | Command::Exit => Ok(()),
        }
    }

    async fn help(&mut self) -> Result<()> {
        for (name, what) in COMMANDS {
            self.screen.line(&format!("  {name:18} {what}")).await?;
        }
        if self.screen.look.terminal {
            for (key, what) in KEYS {
                self.screen.line(&format!("  {key:18} {what}")).await?;
            }
        }
        self.screen.line(&format!("  {:18} {}", "//word", "sends /word as a message")).await
    }

    async fn show_tools(&mut self) -> Result<()> {
        let Some(tools) = &self.tools else {
            let name = self.agent.card().name.clone();
            let why =
                format!("{name} does not tell what it can call: give it to the console by `.tools(..)`");
            return self.screen.line(&why).await;
        };
        let specs = tokio::select! {
            specs = tools() => specs,
            // An agent that works for somebody else tells it only then.
            _ = (self.signals)() => return self.screen.note("(interrupted)").await,
        };
        let specs = match specs {
            Ok(specs) => specs,
            Err(error) => return self.screen.error(&error).await,
        };
        if specs.is_empty() {
            return self.screen.line("no tools").await;
        }
        let longest = specs.iter().map(|spec| spec.name.len()).max().unwrap_or(0);
        for spec in specs {
            let what = self.screen.folded(&spec.description, longest + 4);
            let denied =
                if self.denied.contains(&spec.name) { " (denied for the rest of this talk)" } else { "" };
            self.screen
                .line_with(&format!("  {:longest$}", spec.name.as_str()), &format!("  {what}{denied}"))
                .await?;
        }
        Ok(())
    }

    async fn show_history(&mut self) -> Result<()> {
        if self.transcript.is_empty() {
            return self.screen.line("nothing was said yet").await;
        }
        let said: Vec<(Option<String>, String)> =
            self.transcript.said().map(|(who, words)| (who.map(str::to_owned), words)).collect();
        for (name, words) in said {
            match name {
                Some(name) => self.screen.words(&name, &words).await?,
                None => self.screen.echo(&words).await?,
            }
            self.screen.end_line().await?;
        }
        Ok(())
    }

    async fn show_result(&mut self, back: usize) -> Result<()> {
        let found = self.transcript.last_result(back).map(|result| (result.name.clone(), result.text()));
        match found {
            Some((name, text)) => self.screen.line(&format!("{name}:\n{}", clean(text.trim_end()))).await,
            None if back == 1 => self.screen.line("no tool gave a result yet").await,
            None => {
                self.screen.line(&format!("there are not {back} results yet: /last shows the last one")).await
            }
        }
    }

    async fn save(&mut self, file: Option<String>, replace: bool) -> Result<()> {
        if self.transcript.is_empty() {
            return self.screen.line("nothing was said yet, so there is nothing to save").await;
        }
        let file = file.unwrap_or_else(|| self.transcript.file_name());
        match self.transcript.save(file, replace).await {
            Ok(file) => self.screen.line(&format!("saved in {file}")).await,
            Err(error) => self.screen.error(&error).await,
        }
    }
}
