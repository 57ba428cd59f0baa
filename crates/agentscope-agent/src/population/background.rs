//! From what an agent is to its system prompt.

use super::{Person, Population};
use agentscope_core::{ChatModel, Context, Error, ErrorKind, ModelDelta, ModelRequest, Msg, Result};
use futures_util::StreamExt;

/// Before the background in what a model writes, as in the paper.
const HEADING: &str = "## Background";

/// What a model is asked for a background.
const META_PROMPT: &str = "Write the background of a person for a simulation, in the second person (\"You are ..\"), in at most \
                           100 words. Invent what fits, and contradict nothing of this:";

/// Makes system prompts of agents: a template with `{NAME}` for what the agent is in the distribution NAME, and `{number}` for
/// its place in the population. `{{` and `}}` are braces.
///
/// ```
/// use agentscope_agent::population::{Background, Distribution, Population};
///
/// let population = Population::new(1).distribution(Distribution::new("job", [("baker", 1.0)]));
/// let person = population.people(0).next().unwrap();
/// let background = Background::new("You are a {job} who plays a game.", &population)?;
/// assert_eq!(background.of(&person), "You are a baker who plays a game.");
/// assert_eq!(Background::list(&population).of(&person), "## Background\n- job: baker\n");
///
/// let misspelt = Background::new("You are a {jop}.", &population).unwrap_err();
/// assert_eq!(misspelt.message(), "the template names `{jop}`, which the population does not have; there is: {number}, {job}");
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Background {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Number,
    Of(String),
}

impl Background {
    /// The template `text` for agents of `population`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it names what the population does not have, or a brace is not closed.
    pub fn new(text: &str, population: &Population) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            parts.push(Part::Text(before.to_owned()));
            if let Some(after) = brace.strip_prefix("{{") {
                parts.push(Part::Text("{".to_owned()));
                rest = after;
            } else if let Some(after) = brace.strip_prefix("}}") {
                parts.push(Part::Text("}".to_owned()));
                rest = after;
            } else {
                let closed = brace.strip_prefix('{').and_then(|after| after.split_once('}'));
                let Some((name, after)) = closed else {
                    let begin: String = brace.chars().take(20).collect();
                    let message =
                        format!("the template has a single brace at `{begin}`: write it twice to mean it");
                    return Err(Error::new(ErrorKind::InvalidInput, message));
                };
                parts.push(place(name, population)?);
                rest = after;
            }
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { parts })
    }

    /// A line for each distribution of `population`.
    pub fn list(population: &Population) -> Self {
        let mut parts = vec![Part::Text(format!("{HEADING}\n"))];
        for distribution in &population.distributions {
            parts.push(Part::Text(format!("- {}: ", distribution.name)));
            parts.push(Part::Of(distribution.name.to_string()));
            parts.push(Part::Text("\n".to_owned()));
        }
        Self { parts }
    }

    /// The system prompt of `person`.
    pub fn of(&self, person: &Person) -> String {
        let mut prompt = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => prompt.push_str(text),
                Part::Number => prompt.push_str(&person.number().to_string()),
                Part::Of(name) => prompt.push_str(person.get(name).unwrap_or_default()),
            }
        }
        prompt
    }

    /// The system prompt of `person` as `model` writes it, given what this template makes of the person: a meta prompt, as in
    /// the paper. The model is asked once for each person, so set its temperature, and mind what it costs.
    ///
    /// ```
    /// use agentscope_agent::population::{Background, Distribution, Population};
    /// use agentscope_core::{Context, ModelCard, model_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
    /// let population = Population::new(1).distribution(Distribution::new("job", [("baker", 1.0)]));
    /// let model = model_fn(ModelCard::new("writer"), |_| async { Ok("Well:\n## Background\nYou are Ada, who bakes.") });
    /// let person = population.people(0).next().unwrap();
    /// let written = Background::list(&population).written_by(&model, &person, Context::new()).await?;
    /// assert_eq!(written, "You are Ada, who bakes.");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of the model; [`ErrorKind::Refused`] if it wrote nothing. An interrupt of `cx` is [`ErrorKind::Unavailable`].
    pub async fn written_by(&self, model: &dyn ChatModel, person: &Person, cx: Context) -> Result<String> {
        let question = format!("{META_PROMPT}\n\n{}\nBegin with the line `{HEADING}`.", self.of(person));
        let stop = cx.interrupt().clone();
        let mut answer = model.call(ModelRequest::new([Msg::user(question)]), cx);
        let (mut text, mut whole) = (String::new(), false);
        loop {
            let delta = tokio::select! {
                biased;
                () = stop.triggered() => {
                    let message = format!("interrupted while the background of person {} was written", person.number());
                    return Err(Error::new(ErrorKind::Unavailable, message));
                }
                delta = answer.next() => delta,
            };
            match delta {
                Some(Ok(ModelDelta::Text { delta, .. })) => text.push_str(&delta),
                Some(Ok(ModelDelta::Finish { .. })) => whole = true,
                Some(delta) => drop(delta?),
                None => break,
            }
        }
        let written = text.split_once(HEADING).map_or(text.as_str(), |(_, written)| written).trim();
        let model = &model.card().name;
        match (whole, written.is_empty()) {
            (false, _) => {
                let message = format!("the answer of `{model}` broke off: ask again");
                Err(Error::new(ErrorKind::Protocol, message))
            }
            (true, true) => {
                let message = format!("`{model}` wrote no background: ask again, or another model");
                Err(Error::new(ErrorKind::Refused, message))
            }
            (true, false) => Ok(written.to_owned()),
        }
    }
}

fn place(name: &str, population: &Population) -> Result<Part> {
    if population.distributions.iter().any(|distribution| distribution.name == *name) {
        return Ok(Part::Of(name.to_owned()));
    }
    if name == "number" {
        return Ok(Part::Number);
    }
    let there: Vec<String> = ["number"]
        .into_iter()
        .chain(population.distributions.iter().map(|distribution| distribution.name.as_str()))
        .map(|name| format!("{{{name}}}"))
        .collect();
    let message = format!(
        "the template names `{{{name}}}`, which the population does not have; there is: {}",
        there.join(", ")
    );
    Err(Error::new(ErrorKind::InvalidInput, message))
}
