//! Populations: many agents, each a little different, drawn from a file that says how many are how.

mod background;
mod people;

pub use background::Background;
pub use people::{People, Person};

use agentscope_core::{Error, ErrorKind, Name, Result};
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, path::Path, sync::Arc};

/// Most agents of a population (100 million): what is more is a slip of the pen.
pub(crate) const MOST_AGENTS: u64 = 100_000_000;

/// Most categories of one distribution.
const MOST_CATEGORIES: usize = 65_536;

/// Largest file that is read (16 MiB).
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// How far from 1 the proportions of a distribution may add up, for three of 0.333.
const ROUNDING: f64 = 0.005;

/// How many agents there are, and in which proportions they are how: what agents of a large simulation are made from.
///
/// Each agent gets one category of each distribution, independently of the others, so that 60 % teachers of whom half are young
/// are two distributions. From the file of the paper arXiv 2407.17789, in YAML or JSON:
///
/// ```
/// use agentscope_agent::population::Population;
///
/// let population = Population::from_yaml("
/// population: 10
/// distributions:
///   - name: age
///     categories:
///       - {name: young, proportion: 0.3}
///       - {name: old, proportion: 0.7}
///   - name: job
///     categories:
///       - {name: teacher, proportion: 0.6}
///       - {name: baker, proportion: 0.4}
/// ")?;
/// let people: Vec<_> = population.people(7).collect();
/// assert_eq!(people.iter().filter(|person| person.get("age") == Some("young")).count(), 3);
/// assert_eq!(people, population.people(7).collect::<Vec<_>>(), "a seed always gives the same people");
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// How many agents.
    pub population: u64,
    /// In which ways they differ.
    #[serde(default)]
    pub distributions: Vec<Distribution>,
}

/// One way in which agents differ.
///
/// ```
/// use agentscope_agent::population::Distribution;
/// let coin = Distribution::new("side", [("heads", 0.5), ("tails", 0.5)]);
/// assert_eq!(coin.categories[1].name, "tails");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// What it is called, such as `education`.
    pub name: Name,
    /// What there is.
    pub categories: Vec<Category>,
}

impl Distribution {
    /// These categories, each with its proportion.
    pub fn new<N: Into<Name>>(name: impl Into<Name>, categories: impl IntoIterator<Item = (N, f64)>) -> Self {
        let categories =
            categories.into_iter().map(|(name, proportion)| Category { name: name.into(), proportion });
        Self { name: name.into(), categories: categories.collect() }
    }
}

/// What some of the agents are.
///
/// ```
/// use agentscope_agent::population::Category;
/// let category: Category = serde_json::from_str(r#"{"name": "teacher", "proportion": 0.25}"#)?;
/// assert_eq!(category.name, "teacher");
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// What it is called, such as `bachelor`.
    pub name: Name,
    /// Which part of the agents, from 0 to 1.
    pub proportion: f64,
}

impl Population {
    /// So many agents that do not differ yet.
    pub fn new(population: u64) -> Self {
        Self { population, distributions: Vec::new() }
    }

    /// Who differ in this way too.
    #[must_use]
    pub fn distribution(mut self, distribution: Distribution) -> Self {
        self.distributions.push(distribution);
        self
    }

    /// Reads a file: JSON if its name ends so, else YAML.
    ///
    /// # Errors
    /// Where it cannot be read, and as [`Self::check`], with its path and with what to do.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let shown = path.display();
        let text = read(path).map_err(|error| error.context(format!("{shown}: could not be read")))?;
        let is_json = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("json"));
        let population = if is_json { Self::from_json(&text) } else { Self::from_yaml(&text) };
        population.map_err(|error| error.context(shown))
    }

    /// Reads YAML.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with line and column where the text is wrong, and as [`Self::check`].
    pub fn from_yaml(text: &str) -> Result<Self> {
        let read = serde_saphyr::from_str::<Self>(text);
        checked(read.map_err(|error| unreadable(&error.without_snippet().to_string())))
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// As [`Self::from_yaml`].
    pub fn from_json(text: &str) -> Result<Self> {
        let read = serde_json::from_str::<Self>(text);
        checked(read.map_err(|error| unreadable(&error.to_string())))
    }

    /// Finds what is wrong with it: [`Self::load`] and [`Self::people`] do so by themselves.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with the place and with what to do: no or too many agents; a distribution without a name or
    /// without categories, or with the name of another; a proportion that is negative or no number; proportions that do not add
    /// up to 1, but for rounding (0.005).
    pub fn check(&self) -> Result<()> {
        if self.population == 0 || self.population > MOST_AGENTS {
            let population = self.population;
            return wrong(format!("`population` is {population}: make it a number from 1 to {MOST_AGENTS}"));
        }
        different("distributions", self.distributions.iter().map(|it| &it.name))?;
        for (at, distribution) in self.distributions.iter().enumerate() {
            distribution.check(&format!("distributions[{at}] (`{}`)", distribution.name))?;
        }
        Ok(())
    }

    /// The agents, drawn with `seed`: the same for the same seed, on every machine and in every version.
    ///
    /// Of each category there are exactly as many as its proportion says, rounded by the largest remainder, and chance decides
    /// who they are; [`People::drawn`] lets chance decide on how many, too. A population that [fails its check](Self::check)
    /// has nobody: check one that you did not read from a file.
    pub fn people(&self, seed: u64) -> People {
        People::new(Arc::new(self.clone()), seed)
    }
}

impl Distribution {
    fn check(&self, place: &str) -> Result<()> {
        if self.categories.is_empty() || self.categories.len() > MOST_CATEGORIES {
            let count = self.categories.len();
            return wrong(format!("{place} has {count} categories: give it 1 to {MOST_CATEGORIES}"));
        }
        different(&format!("{place}.categories"), self.categories.iter().map(|it| &it.name))?;
        for (at, Category { name, proportion }) in self.categories.iter().enumerate() {
            if !(proportion.is_finite() && *proportion >= 0.0) {
                return wrong(format!(
                    "{place}.categories[{at}] (`{name}`) has the proportion {proportion}: make it a number from 0 to 1"
                ));
            }
        }
        let sum: f64 = self.categories.iter().map(|it| it.proportion).sum();
        if (sum - 1.0).abs() <= ROUNDING {
            return Ok(());
        }
        let percent = (sum - 100.0).abs() <= 100.0 * ROUNDING;
        let rounded = (sum * 1e6).round() / 1e6;
        let what =
            if percent { "they are no percents, so write 0.3 for 30 %" } else { "make them add up to 1" };
        wrong(format!("the proportions of {place} add up to {rounded}: {what}"))
    }
}

fn different<'a>(place: &str, names: impl Iterator<Item = &'a Name>) -> Result<()> {
    let mut known = HashSet::new();
    for (at, name) in names.enumerate() {
        if name.trim().is_empty() {
            return wrong(format!("{place}[{at}] has no name: give it one"));
        }
        if !known.insert(name) {
            return wrong(format!("{place}[{at}] is a second `{name}`: rename it, or join the two"));
        }
    }
    Ok(())
}

fn checked(read: Result<Population>) -> Result<Population> {
    let population = read?;
    population.check()?;
    Ok(population)
}

fn wrong<T>(message: String) -> Result<T> {
    Err(Error::new(ErrorKind::InvalidInput, message))
}

fn unreadable(what: &str) -> Error {
    let message = format!(
        "{}: write `population: N` and `distributions`, a list of `name` and `categories`, each with `name` and `proportion`",
        what.trim()
    );
    Error::new(ErrorKind::InvalidInput, message)
}

fn read(path: &Path) -> Result<String> {
    let size = std::fs::metadata(path)?.len();
    if size > FILE_LIMIT {
        return wrong(format!(
            "it has {size} bytes, and at most {FILE_LIMIT} are read: is it the right file?"
        ));
    }
    Ok(std::fs::read_to_string(path)?)
}

#[cfg(test)]
mod tests;
