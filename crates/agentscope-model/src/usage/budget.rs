//! Budgets: how much of what, for whom, in which time.

use super::tally::{Money, grouped};
use agentscope_core::{Currency, Error, ErrorKind, Name, Result};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Most that is spent: tokens, money or calls, by whom it is spent, and in which time.
///
/// Without a scope it holds for all that a [`Monitor`](super::Monitor) counts. An agent is known by its name; a session is the
/// conversation in which the outermost agent was asked, so that what its sub-agents spend is counted with it.
///
/// As JSON, for configurations, one of `tokens`, `calls` and `money` (with `currency`), one of `model`, `agent`, `session` and
/// `each`, and `per` in seconds:
///
/// ```
/// use agentscope_core::Currency;
/// use agentscope_model::Budget;
/// use std::time::Duration;
///
/// let budget = Budget::money(5.0, Currency::USD).each_session().per(Duration::from_secs(86_400));
/// assert_eq!(budget.to_string(), "5.00 USD for each session per 86400 s");
///
/// let json = r#"{"money":5.0,"currency":"USD","each":"session","per":86400.0}"#;
/// assert_eq!(serde_json::from_str::<Budget>(json)?, budget);
/// assert_eq!(serde_json::to_string(&budget)?, json);
///
/// let error = serde_json::from_str::<Budget>(r#"{"tokens": -1000}"#).unwrap_err();
/// assert!(error.to_string().starts_with("a budget of -1000 tokens is no limit: give a whole number above 0"));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Budget {
    limit: Limit,
    scope: Scope,
    window: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    Tokens(u64),
    Calls(u64),
    Money(f64, Currency),
}

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit {
    Tokens,
    Calls,
    Money(Currency),
}

/// For whom a budget is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scope {
    #[default]
    All,
    One(Kind, Name),
    Each(Kind),
}

/// By what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Model,
    Agent,
    Session,
}

impl Budget {
    /// So many tokens, read and written.
    pub fn tokens(limit: u64) -> Self {
        Self::of(Limit::Tokens(limit))
    }

    /// So many calls, those that fail included.
    pub fn calls(limit: u64) -> Self {
        Self::of(Limit::Calls(limit))
    }

    /// So much money. What is paid in another currency is not counted; give it a budget of its own.
    pub fn money(amount: f64, currency: Currency) -> Self {
        Self::of(Limit::Money(amount, currency))
    }

    fn of(limit: Limit) -> Self {
        Self { limit, scope: Scope::All, window: None }
    }

    /// For the model that its provider calls so.
    #[must_use]
    pub fn model(self, name: impl Into<Name>) -> Self {
        Self { scope: Scope::One(Kind::Model, name.into()), ..self }
    }

    /// For the agent of this name.
    #[must_use]
    pub fn agent(self, name: impl Into<Name>) -> Self {
        Self { scope: Scope::One(Kind::Agent, name.into()), ..self }
    }

    /// For this conversation, by the name that [`Context::path`](agentscope_core::Context::path) has for it.
    #[must_use]
    pub fn session(self, name: impl Into<Name>) -> Self {
        Self { scope: Scope::One(Kind::Session, name.into()), ..self }
    }

    /// For each model by itself.
    #[must_use]
    pub fn each_model(self) -> Self {
        Self { scope: Scope::Each(Kind::Model), ..self }
    }

    /// For each agent by itself.
    #[must_use]
    pub fn each_agent(self) -> Self {
        Self { scope: Scope::Each(Kind::Agent), ..self }
    }

    /// For each conversation by itself.
    #[must_use]
    pub fn each_session(self) -> Self {
        Self { scope: Scope::Each(Kind::Session), ..self }
    }

    /// Anew in each time of this length. One begins with the first call after the one before is over.
    #[must_use]
    pub fn per(self, window: Duration) -> Self {
        Self { window: Some(window), ..self }
    }

    /// The limit in what is counted, if it is one.
    pub(super) fn checked(&self) -> Result<u64> {
        let wrong = |what: &str| {
            let message = format!("a budget of {} {what}", self.limit);
            Err(Error::new(ErrorKind::InvalidInput, message))
        };
        if self.window.is_some_and(|window| window.is_zero()) {
            return wrong("per 0 s is no limit: give a time above 0, or none");
        }
        match self.limit {
            Limit::Tokens(0) | Limit::Calls(0) => {
                wrong("would stop the first call: give a whole number above 0, or no budget")
            }
            Limit::Tokens(limit) | Limit::Calls(limit) => Ok(limit),
            Limit::Money(amount, _) if amount.is_nan() => {
                wrong("is no limit: give a number above 0, or no budget")
            }
            Limit::Money(amount, _) => match Money::of(amount) {
                Some(money) if amount > 0.0 && money.nanos() > 0 => Ok(money.nanos()),
                _ => wrong("is no limit: give an amount above 0 and below 10 billion, or no budget"),
            },
        }
    }

    pub(super) fn unit(&self) -> Unit {
        match self.limit {
            Limit::Tokens(_) => Unit::Tokens,
            Limit::Calls(_) => Unit::Calls,
            Limit::Money(_, currency) => Unit::Money(currency),
        }
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn window(&self) -> Option<Duration> {
        self.window
    }

    /// Whether they limit the same, though perhaps not equally.
    pub(super) fn is_about(&self, other: &Self) -> bool {
        self.unit() == other.unit() && self.scope == other.scope && self.window == other.window
    }

    /// How it is written in a program, with a limit that is to be put in.
    pub(super) fn as_code(&self) -> String {
        let mut code = match self.limit {
            Limit::Tokens(_) => "Budget::tokens(..)".to_owned(),
            Limit::Calls(_) => "Budget::calls(..)".to_owned(),
            Limit::Money(_, currency) => format!("Budget::money(.., {currency})"),
        };
        code += &match &self.scope {
            Scope::All => String::new(),
            Scope::One(kind, name) => format!(".{}({name:?})", kind.as_str()),
            Scope::Each(kind) => format!(".each_{}()", kind.as_str()),
        };
        if self.window.is_some() {
            code += ".per(..)";
        }
        code
    }
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Agent => "agent",
            Self::Session => "session",
        }
    }
}

impl Unit {
    /// An amount in words.
    pub(super) fn show(self, amount: u64) -> String {
        match self {
            Self::Tokens if amount == 1 => "1 token".to_owned(),
            Self::Tokens => format!("{} tokens", grouped(amount)),
            Self::Calls if amount == 1 => "1 call".to_owned(),
            Self::Calls => format!("{} calls", grouped(amount)),
            Self::Money(currency) => format!("{} {currency}", Money::from_nanos(amount)),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokens(limit) => f.write_str(&Unit::Tokens.show(*limit)),
            Self::Calls(limit) => f.write_str(&Unit::Calls.show(*limit)),
            Self::Money(amount, currency) => match Money::of(*amount) {
                Some(money) => write!(f, "{money} {currency}"),
                None => write!(f, "{amount} {currency}"),
            },
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.limit)?;
        match &self.scope {
            Scope::All => {}
            Scope::One(kind, name) => write!(f, " for {} `{name}`", kind.as_str())?,
            Scope::Each(kind) => write!(f, " for each {}", kind.as_str())?,
        }
        match self.window {
            Some(window) => write!(f, " per {} s", window.as_secs_f64()),
            None => Ok(()),
        }
    }
}

/// A budget as JSON has it.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    money: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<Currency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    each: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per: Option<f64>,
}

impl From<Budget> for Written {
    fn from(budget: Budget) -> Self {
        let mut written = Self { per: budget.window.map(|window| window.as_secs_f64()), ..Self::default() };
        match budget.limit {
            Limit::Tokens(limit) => written.tokens = Some(limit.into()),
            Limit::Calls(limit) => written.calls = Some(limit.into()),
            Limit::Money(amount, currency) => {
                (written.money, written.currency) = (Some(amount), Some(currency));
            }
        }
        match budget.scope {
            Scope::All => {}
            Scope::One(Kind::Model, name) => written.model = Some(name),
            Scope::One(Kind::Agent, name) => written.agent = Some(name),
            Scope::One(Kind::Session, name) => written.session = Some(name),
            Scope::Each(kind) => written.each = Some(kind),
        }
        written
    }
}

impl TryFrom<Written> for Budget {
    type Error = Error;

    fn try_from(written: Written) -> Result<Self> {
        let wrong = |message: String| Err(Error::new(ErrorKind::InvalidInput, message));
        let Written { tokens, calls, money, currency, model, agent, session, each, per } = written;
        let whole = |limit: serde_json::Number, what: &str| match limit.as_u64() {
            Some(limit) => Ok(limit),
            None => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("a budget of {limit} {what} is no limit: give a whole number above 0, or no budget"),
            )),
        };
        let limit = match (tokens, calls, money, currency) {
            (Some(limit), None, None, None) => Limit::Tokens(whole(limit, "tokens")?),
            (None, Some(limit), None, None) => Limit::Calls(whole(limit, "calls")?),
            (None, None, Some(amount), Some(currency)) => Limit::Money(amount, currency),
            (None, None, Some(amount), None) => {
                return wrong(format!("a budget of {amount} needs a `currency`, such as \"USD\""));
            }
            _ => {
                return wrong("a budget has one of `tokens`, `calls` and `money` with `currency`".to_owned());
            }
        };
        let one = |kind, name: Option<Name>| name.map(|name| Scope::One(kind, name));
        let scopes = [
            one(Kind::Model, model),
            one(Kind::Agent, agent),
            one(Kind::Session, session),
            each.map(Scope::Each),
        ];
        let mut scopes = scopes.into_iter().flatten();
        let scope = scopes.next().unwrap_or_default();
        if scopes.next().is_some() {
            return wrong("a budget has at most one of `model`, `agent`, `session` and `each`".to_owned());
        }
        let window = match per.map(Duration::try_from_secs_f64) {
            Some(Ok(window)) => Some(window),
            Some(Err(_)) => {
                return wrong(format!(
                    "`per` is the seconds of a budget's time: give a number above 0, not {}",
                    per.unwrap_or_default()
                ));
            }
            None => None,
        };
        let budget = Self { limit, scope, window };
        budget.checked().map(|_| budget)
    }
}
