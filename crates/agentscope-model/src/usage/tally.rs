//! What was spent, in numbers and as a table.

use agentscope_core::{Currency, Name, Usage};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{collections::BTreeMap, fmt, ops::AddAssign};

/// Billionths of a unit.
const NANOS: f64 = 1e9;

/// Most units that are counted, so that a sum of two never overflows unnoticed.
const MOST: f64 = 1e10;

/// Most rows of a kind that a table shows; the rest is summed up in one.
const ROWS: usize = 20;

/// An amount of money in billionths of a unit of its currency, so that sums are exact. In JSON it is a number of units.
///
/// ```
/// use agentscope_model::Money;
///
/// let sum: u64 = [0.1, 0.2].map(|amount| Money::of(amount).unwrap().nanos()).iter().sum();
/// assert_eq!(Money::from_nanos(sum), Money::of(0.3).unwrap());
/// assert_eq!(Money::from_nanos(1_500_000).to_string(), "0.0015");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u64);

impl Money {
    /// So many units; none if that is negative, no number, or 10 billion and more.
    pub fn of(units: f64) -> Option<Self> {
        (0.0..MOST).contains(&units).then(|| Self((units * NANOS).round() as u64))
    }

    /// So many billionths of a unit.
    pub fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Billionths of a unit.
    pub fn nanos(self) -> u64 {
        self.0
    }

    /// Units.
    pub fn units(self) -> f64 {
        self.0 as f64 / NANOS
    }
}

/// With two places behind the point at least, and as many more as small amounts need.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        // Two digits that count are enough to tell what something costs.
        let places = match (whole, part) {
            (0, 1..100_000) => 9,
            (0, 100_000..10_000_000) => 6,
            (0, _) => 4,
            _ => 2,
        };
        let text = format!("{:.places$}", self.units());
        let kept = text.trim_end_matches('0').len().max(text.find('.').unwrap_or(text.len()) + 3);
        f.pad(text.get(..kept.min(text.len())).unwrap_or(&text))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.units())
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let units = f64::deserialize(deserializer)?;
        Self::of(units).ok_or_else(|| serde::de::Error::custom(format!("{units} is no amount of money")))
    }
}

/// What some calls spent.
///
/// ```
/// let tally = agentscope_model::Tally::default();
/// assert_eq!((tally.calls, tally.usage.input_tokens), (0, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Tally {
    /// Calls that were begun and are over.
    pub calls: u64,
    /// Of them, those that ended with an error.
    pub failed: u64,
    /// Of them, those of which some tokens are estimated, because the provider did not tell.
    pub estimated: u64,
    /// Of them, those of models whose price nobody knows: their cost is not in `money`.
    pub unpriced: u64,
    /// Tokens.
    pub usage: Usage,
    /// Money, by currency.
    pub money: BTreeMap<Currency, Money>,
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, more: &Tally) {
        self.calls = self.calls.saturating_add(more.calls);
        self.failed += more.failed;
        self.estimated += more.estimated;
        self.unpriced += more.unpriced;
        self.usage += more.usage;
        for (currency, money) in &more.money {
            let sum = self.money.entry(*currency).or_default();
            sum.0 = sum.0.saturating_add(money.0);
        }
    }
}

/// All that a monitor has counted, at one moment. It prints as a table.
///
/// ```
/// let report = agentscope_model::Monitor::new().report();
/// assert_eq!(serde_json::to_value(&report)?["total"]["calls"], 0);
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct UsageReport {
    /// All calls.
    pub total: Tally,
    /// By model.
    pub models: BTreeMap<Name, Tally>,
    /// By agent.
    pub agents: BTreeMap<Name, Tally>,
    /// By session.
    pub sessions: BTreeMap<Name, Tally>,
    /// How far each budget is used up.
    pub budgets: Vec<BudgetState>,
}

/// How far a budget is used up.
///
/// ```
/// use agentscope_model::{Budget, Monitor};
///
/// let monitor = Monitor::new();
/// monitor.limit(Budget::calls(10))?;
/// let state = &monitor.report().budgets[0];
/// assert_eq!((state.to_string().as_str(), state.share), ("0 of 10 calls", 0.0));
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BudgetState {
    /// The budget.
    pub budget: super::Budget,
    /// Whose it is, where each has its own: a model, an agent or a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Name>,
    /// What was used: tokens, calls, or billionths of a unit of money.
    pub used: u64,
    /// What the calls that are under way will use, by estimate.
    pub reserved: u64,
    /// The limit, counted like `used`.
    pub limit: u64,
    /// The part of the limit that was used: 1 when it is used up.
    pub share: f64,
}

impl fmt::Display for BudgetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.budget.unit().show(self.used);
        let used = used.split(' ').next().unwrap_or_default();
        write!(f, "{used} of {}", self.budget)?;
        match &self.of {
            Some(of) => write!(f, ": {}", shown(of)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for UsageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["", "calls", "failed", "input", "cached", "output", "cost"].map(str::to_owned)];
        rows.push(row("total", &self.total));
        for (kind, tallies) in [("model", &self.models), ("agent", &self.agents), ("session", &self.sessions)]
        {
            let mut dearest: Vec<_> = tallies.iter().collect();
            dearest.sort_by_key(|(_, tally)| {
                std::cmp::Reverse(tally.usage.input_tokens.saturating_add(tally.usage.output_tokens))
            });
            let (shown_rows, rest) = dearest.split_at(dearest.len().min(ROWS));
            rows.extend(
                shown_rows.iter().map(|(name, tally)| row(&format!("{kind} {}", shown(name)), tally)),
            );
            if !rest.is_empty() {
                let mut sum = Tally::default();
                rest.iter().for_each(|(_, tally)| sum += tally);
                rows.push(row(&format!("{} other {kind}s", rest.len()), &sum));
            }
        }
        let mut widths = [0; 7];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &rows {
            let mut line = String::new();
            for (at, (width, cell)) in widths.iter().zip(row).enumerate() {
                line += &if at == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        for budget in self.budgets.iter().take(ROWS) {
            writeln!(f, "budget {budget}")?;
        }
        if self.budgets.len() > ROWS {
            writeln!(f, "{} more budgets", self.budgets.len() - ROWS)?;
        }
        if self.total.estimated > 0 {
            writeln!(f, "{} of the calls with tokens that are estimated", self.total.estimated)?;
        }
        if self.total.unpriced > 0 {
            writeln!(f, "{} of the calls of models without a price", self.total.unpriced)?;
        }
        Ok(())
    }
}

fn row(name: &str, tally: &Tally) -> [String; 7] {
    let Tally { calls, failed, usage, money, .. } = tally;
    let money: Vec<_> = money.iter().map(|(currency, money)| format!("{money} {currency}")).collect();
    let counts = [*calls, *failed, usage.input_tokens, usage.cached_tokens, usage.output_tokens].map(grouped);
    let [calls, failed, input, cached, output] = counts;
    [name.to_owned(), calls, failed, input, cached, output, money.join(" + ")]
}

fn shown(name: &str) -> &str {
    if name.is_empty() { "(none)" } else { name }
}

/// A count with a comma before each three digits.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
