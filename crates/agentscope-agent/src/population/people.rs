//! Drawing: who is how, from a seed.

use super::{Distribution, Population};
use agentscope_core::Name;
use serde::{Serialize, Serializer};
use std::{fmt, sync::Arc};

/// The agents of a population, one after the other.
///
/// It takes two bytes for each agent and distribution; the agents themselves are made as they are asked for.
///
/// ```
/// use agentscope_agent::population::{Distribution, Population};
///
/// let coins = Population::new(100).distribution(Distribution::new("side", [("heads", 0.5), ("tails", 0.5)]));
/// let heads = |people: &mut dyn Iterator<Item = _>| people.filter(|it: &agentscope_agent::population::Person| it.get("side") == Some("heads")).count();
/// assert_eq!(heads(&mut coins.people(1)), 50, "exactly the proportion");
/// assert_ne!(heads(&mut coins.people(1).drawn()), 50, "as it comes");
/// ```
#[derive(Clone, Debug)]
pub struct People {
    population: Arc<Population>,
    seed: u64,
    /// For each distribution the category of each agent, drawn when the first one is asked for.
    columns: Option<Arc<[Vec<u16>]>>,
    independent: bool,
    next: usize,
    count: usize,
}

impl People {
    pub(super) fn new(population: Arc<Population>, seed: u64) -> Self {
        let count = if population.check().is_ok() { population.population } else { 0 };
        let count = usize::try_from(count).unwrap_or_default();
        Self { population, seed, columns: None, independent: false, next: 0, count }
    }

    /// Draws each agent by itself, so that how many there are of a category is chance, too, as in a real sample.
    #[must_use]
    pub fn drawn(mut self) -> Self {
        self.independent = true;
        self.columns = None;
        self
    }

    fn columns(&self) -> Arc<[Vec<u16>]> {
        let each = self.population.distributions.iter().map(|distribution| {
            // By its name and not by its place: another distribution in the file leaves this one as it is.
            let mut chance = Chance::new(self.seed, &distribution.name);
            if self.independent {
                draw(distribution, self.count, &mut chance)
            } else {
                deal(distribution, self.count, &mut chance)
            }
        });
        each.collect()
    }
}

impl Iterator for People {
    type Item = Person;

    fn next(&mut self) -> Option<Person> {
        if self.next >= self.count {
            return None;
        }
        if self.columns.is_none() {
            self.columns = Some(self.columns());
        }
        let at = self.next;
        let columns = self.columns.iter().flat_map(|columns| columns.iter());
        let categories = columns.map(|column| column.get(at).copied().unwrap_or_default()).collect();
        self.next += 1;
        Some(Person { population: Arc::clone(&self.population), number: at, categories })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count.saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for People {}

/// Exactly as many of each category as its proportion says, in an order of chance.
fn deal(distribution: &Distribution, count: usize, chance: &mut Chance) -> Vec<u16> {
    let mut column = Vec::with_capacity(count);
    for (category, share) in (0..=u16::MAX).zip(shares(distribution, count)) {
        column.extend(std::iter::repeat_n(category, share));
    }
    for last in (1..column.len()).rev() {
        column.swap(last, chance.below(last as u64 + 1) as usize); // Fisher and Yates
    }
    column
}

/// Whole numbers that add up to `count`: each share rounded down, and the rest to the largest remainders (Hamilton's method).
fn shares(distribution: &Distribution, count: usize) -> Vec<usize> {
    let sum: f64 = distribution.categories.iter().map(|it| it.proportion).sum();
    let exact: Vec<f64> =
        distribution.categories.iter().map(|it| it.proportion / sum * count as f64).collect();
    let mut shares: Vec<usize> = exact.iter().map(|share| share.floor() as usize).collect();
    let mut order: Vec<usize> = (0..exact.len()).collect();
    let remainder = |at: &usize| exact.get(*at).map_or(0.0, |share| share.fract());
    order.sort_by(|one, other| remainder(other).total_cmp(&remainder(one))); // stable: of equals, the first
    let left = count.saturating_sub(shares.iter().sum());
    for at in order.into_iter().take(left) {
        if let Some(share) = shares.get_mut(at) {
            *share += 1;
        }
    }
    shares
}

fn draw(distribution: &Distribution, count: usize, chance: &mut Chance) -> Vec<u16> {
    let mut sum = 0.0;
    let borders: Vec<f64> = distribution
        .categories
        .iter()
        .map(|category| {
            sum += category.proportion;
            sum
        })
        .collect();
    let last_possible =
        distribution.categories.iter().rposition(|it| it.proportion > 0.0).unwrap_or_default();
    let one = |_| {
        let point = chance.fraction() * sum;
        let at = borders.partition_point(|border| *border <= point).min(last_possible);
        u16::try_from(at).unwrap_or_default()
    };
    (0..count).map(one).collect()
}

/// SplitMix64 (Steele, Lea and Flood, 2014). It is written down here, and not taken from a crate, so that a seed gives the same
/// people in every version.
struct Chance(u64);

impl Chance {
    fn new(seed: u64, name: &str) -> Self {
        // FNV-1a of the name.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut start = Self(seed);
        Self(start.next() ^ hash)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `limit`, without that. Its bias is below `limit` / 2^64.
    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// From 0 to 1, without that.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The configuration of one agent: what it is in each distribution.
///
/// As data it is an object: `{"age": "young", "job": "baker"}`. A system prompt is made from it by a [`crate::population::Background`].
///
/// ```
/// use agentscope_agent::population::{Distribution, Population};
///
/// let population = Population::new(1).distribution(Distribution::new("job", [("baker", 1.0)]));
/// let person = population.people(0).next().unwrap();
/// assert_eq!(serde_json::to_value(&person)?, serde_json::json!({"job": "baker"}));
/// assert_eq!((person.number(), person.get("job"), person.get("age")), (0, Some("baker"), None));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Person {
    population: Arc<Population>,
    number: usize,
    categories: Box<[u16]>,
}

impl Person {
    /// Its place in the population, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// What it is in the distribution of this name.
    pub fn get(&self, distribution: &str) -> Option<&str> {
        self.attributes().find(|(name, _)| **name == *distribution).map(|(_, category)| category.as_str())
    }

    /// Each distribution with what it is there, in the order of the file.
    pub fn attributes(&self) -> impl Iterator<Item = (&Name, &Name)> {
        let each = self.population.distributions.iter().zip(&self.categories);
        each.filter_map(|(distribution, at)| {
            Some((&distribution.name, &distribution.categories.get(usize::from(*at))?.name))
        })
    }
}

impl PartialEq for Person {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number && self.attributes().eq(other.attributes())
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.attributes()).finish()
    }
}

impl Serialize for Person {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.attributes())
    }
}
