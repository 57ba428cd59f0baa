//! The books: what was spent by whom, what each budget still allows, and what the calls under way will take of it.

use super::{
    budget::{Budget, Kind, Scope, Unit},
    tally::{BudgetState, Money, Tally, UsageReport},
};
use agentscope_core::{Error, ErrorKind, Name, Price, Result, Usage};
use std::{collections::HashMap, sync::Arc};
use tokio::time::Instant;

/// Tokens that an answer is expected to have of a model that has not answered yet.
const FIRST_ANSWER: u64 = 500;

/// What stands for those of a kind that are too many to be counted each by itself.
const OTHERS: &str = "(others)";

/// By whom a call is made.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) model: Name,
    pub(super) agent: Name,
    pub(super) session: Name,
}

impl Caller {
    fn name(&self, kind: Kind) -> &Name {
        match kind {
            Kind::Model => &self.model,
            Kind::Agent => &self.agent,
            Kind::Session => &self.session,
        }
    }
}

/// What a call that may run has reserved.
#[derive(Debug, Default)]
pub(super) struct Ticket {
    /// The budget's number, whose account, and how much.
    reserved: Vec<(usize, Name, u64)>,
    price: Option<Price>,
}

/// What a call spent, when it is over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) usage: Usage,
    pub(super) estimated: bool,
    pub(super) failed: bool,
}

/// Called when a part of a budget is used up.
pub(super) type Warn = Arc<dyn Fn(&BudgetState) + Send + Sync>;

#[derive(Default)]
pub(super) struct Ledger {
    total: Tally,
    models: HashMap<Name, Tally>,
    agents: HashMap<Name, Tally>,
    sessions: HashMap<Name, Tally>,
    budgets: Vec<Watched>,
    /// By the name of the model; they come before that of its card.
    prices: HashMap<Name, Price>,
    warnings: Vec<(f64, Warn)>,
    /// How many models, agents and sessions are counted each by itself.
    most_names: usize,
}

struct Watched {
    budget: Budget,
    limit: u64,
    accounts: HashMap<Name, Account>,
}

#[derive(Default)]
struct Account {
    used: u64,
    reserved: u64,
    under_way: u64,
    /// When its time began.
    since: Option<Instant>,
    /// The largest part of which was told that it is used.
    told: f64,
}

impl Ledger {
    pub(super) fn new(most_names: usize) -> Self {
        Self { most_names, ..Self::default() }
    }

    pub(super) fn limit(&mut self, budget: Budget) -> Result<()> {
        let limit = budget.checked()?;
        match self.budgets.iter_mut().find(|known| known.budget.is_about(&budget)) {
            Some(known) => {
                for account in known.accounts.values_mut() {
                    account.told = account.used as f64 / limit as f64;
                }
                (known.budget, known.limit) = (budget, limit);
            }
            None => self.budgets.push(Watched { budget, limit, accounts: HashMap::new() }),
        }
        Ok(())
    }

    pub(super) fn warn_at(&mut self, share: f64, warn: Warn) {
        self.warnings.push((share, warn));
    }

    pub(super) fn price(&mut self, model: Name, price: Price) {
        self.prices.insert(model, price);
    }

    pub(super) fn most_names(&mut self, most: usize) {
        self.most_names = most;
    }

    /// Lets a call run and reserves what it will probably spend, or says which budget is used up.
    pub(super) fn admit(
        &mut self,
        caller: &Caller,
        input: u64,
        most_output: Option<u64>,
        card_price: Option<Price>,
        now: Instant,
    ) -> Result<Ticket> {
        let price = self.prices.get(&caller.model).copied().or(card_price);
        let output = self.expected_output(&caller.model).min(most_output.unwrap_or(u64::MAX));
        let expected = Usage::new(input, output);
        let most_names = self.most_names;
        let mut ticket = Ticket { reserved: Vec::new(), price };
        for (number, watched) in self.budgets.iter_mut().enumerate() {
            let Some(name) = watched.account_of(caller, most_names, now) else { continue };
            if price.is_none() && matches!(watched.budget.unit(), Unit::Money(_)) {
                let message = format!(
                    "the budget of {} cannot be kept, because nobody knows what the model `{}` costs: say it by \
                     `monitor.price(..)` or in a file of model cards (a model that costs nothing has the price 0)",
                    watched.budget, caller.model
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            let amount = amount(watched.budget.unit(), &expected, price);
            let account = watched.accounts.entry(name.clone()).or_default();
            account.begin(watched.budget.window(), now);
            if account.used.saturating_add(account.reserved) >= watched.limit {
                return Err(watched.used_up(&name, now));
            }
            ticket.reserved.push((number, name, amount));
        }
        for (number, name, amount) in &ticket.reserved {
            if let Some(account) = self.account(*number, name) {
                account.reserved = account.reserved.saturating_add(*amount);
                account.under_way += 1;
            }
        }
        Ok(ticket)
    }

    /// Counts what a call spent in place of what it had reserved. Gives the warnings that are due, to be called when the books
    /// are closed.
    pub(super) fn settle(
        &mut self,
        caller: &Caller,
        ticket: &Ticket,
        spent: &Spent,
        now: Instant,
    ) -> Vec<(Warn, BudgetState)> {
        self.count(caller, ticket, spent);
        let mut due = Vec::new();
        for (number, name, reserved) in &ticket.reserved {
            let Some(watched) = self.budgets.get_mut(*number) else { continue };
            let amount = amount(watched.budget.unit(), &spent.usage, ticket.price);
            let account = watched.accounts.entry(name.clone()).or_default();
            account.begin(watched.budget.window(), now);
            account.reserved = account.reserved.saturating_sub(*reserved);
            account.under_way = account.under_way.saturating_sub(1);
            account.used = account.used.saturating_add(amount);
            let share = account.used as f64 / watched.limit as f64;
            let told = account.told;
            account.told = told.max(share);
            let crossed = self.warnings.iter().filter(|(at, _)| told < *at && *at <= share);
            let warns: Vec<_> = crossed.map(|(_, warn)| Arc::clone(warn)).collect();
            due.extend(warns.into_iter().map(|warn| (warn, watched.state(name))));
        }
        due
    }

    fn count(&mut self, caller: &Caller, ticket: &Ticket, spent: &Spent) {
        let mut tally = Tally {
            calls: 1,
            failed: spent.failed.into(),
            estimated: spent.estimated.into(),
            unpriced: ticket.price.is_none().into(),
            usage: spent.usage,
            ..Tally::default()
        };
        if let Some(price) = ticket.price {
            let cost = price.cost_nanos(&spent.usage);
            if cost > 0 {
                tally.money.insert(price.currency, Money::from_nanos(cost));
            }
        }
        self.total += &tally;
        for (tallies, name) in [
            (&mut self.models, &caller.model),
            (&mut self.agents, &caller.agent),
            (&mut self.sessions, &caller.session),
        ] {
            let name = known_or_other(tallies, name, self.most_names);
            *tallies.entry(name).or_default() += &tally;
        }
    }

    /// As many tokens as the model's answers have had on average.
    fn expected_output(&self, model: &Name) -> u64 {
        let answered = |tally: &&Tally| tally.calls > tally.failed;
        self.models.get(model).filter(answered).map_or(FIRST_ANSWER, |tally| {
            tally.usage.output_tokens.checked_div(tally.calls - tally.failed).unwrap_or_default()
        })
    }

    fn account(&mut self, number: usize, name: &Name) -> Option<&mut Account> {
        self.budgets.get_mut(number)?.accounts.get_mut(name)
    }

    pub(super) fn forget_session(&mut self, session: &Name) {
        self.sessions.remove(session);
        for watched in &mut self.budgets {
            if *watched.budget.scope() == Scope::Each(Kind::Session) {
                watched.accounts.retain(|name, account| name != session || account.under_way > 0);
            }
        }
    }

    pub(super) fn restore(&mut self, report: &UsageReport, now: Instant) {
        self.total += &report.total;
        for (tallies, more) in [
            (&mut self.models, &report.models),
            (&mut self.agents, &report.agents),
            (&mut self.sessions, &report.sessions),
        ] {
            for (name, tally) in more {
                let name = known_or_other(tallies, name, self.most_names);
                *tallies.entry(name).or_default() += tally;
            }
        }
        for state in report.budgets.iter().filter(|state| state.used > 0) {
            let Some(watched) = self.budgets.iter_mut().find(|it| it.budget.is_about(&state.budget)) else {
                continue;
            };
            let name = state.of.clone().unwrap_or_default();
            let name = known_or_other(&watched.accounts, &name, self.most_names.max(1));
            let account = watched.accounts.entry(name).or_default();
            account.begin(watched.budget.window(), now);
            account.used = account.used.saturating_add(state.used);
            account.told = account.used as f64 / watched.limit as f64;
        }
    }

    pub(super) fn report(&self) -> UsageReport {
        let sorted = |tallies: &HashMap<Name, Tally>| {
            tallies.iter().map(|(name, tally)| (name.clone(), tally.clone())).collect()
        };
        UsageReport {
            total: self.total.clone(),
            models: sorted(&self.models),
            agents: sorted(&self.agents),
            sessions: sorted(&self.sessions),
            budgets: self.budgets.iter().flat_map(Watched::states).collect(),
        }
    }
}

/// The name itself, if it has a place or there is one left for it.
fn known_or_other<T>(places: &HashMap<Name, T>, name: &Name, most: usize) -> Name {
    if places.len() < most || places.contains_key(name) { name.clone() } else { Name::from(OTHERS) }
}

fn amount(unit: Unit, usage: &Usage, price: Option<Price>) -> u64 {
    match (unit, price) {
        (Unit::Calls, _) => 1,
        (Unit::Tokens, _) => usage.input_tokens.saturating_add(usage.output_tokens),
        (Unit::Money(currency), Some(price)) if price.currency == currency => price.cost_nanos(usage),
        (Unit::Money(_), _) => 0,
    }
}

impl Watched {
    /// Whose account a call is for, if the budget is about it.
    fn account_of(&mut self, caller: &Caller, most: usize, now: Instant) -> Option<Name> {
        match self.budget.scope() {
            Scope::All => Some(Name::default()),
            Scope::One(kind, name) => (caller.name(*kind) == name).then(Name::default),
            Scope::Each(kind) => {
                let name = caller.name(*kind);
                if let Some(window) = self.budget.window()
                    && self.accounts.len() >= most
                    && !self.accounts.contains_key(name)
                {
                    self.accounts.retain(|_, account| account.under_way > 0 || !account.is_over(window, now));
                }
                Some(known_or_other(&self.accounts, name, most))
            }
        }
    }

    fn used_up(&self, name: &Name, now: Instant) -> Error {
        let BudgetState { used, reserved, of, .. } = self.state(name);
        let unit = self.budget.unit();
        let account = self.accounts.get(name);
        let of = of.map_or_else(String::new, |name| format!(" by `{name}`"));
        let under_way = match account.map_or(0, |account| account.under_way) {
            0 => String::new(),
            calls => {
                let calls = Unit::Calls.show(calls);
                format!(", and {calls} under way will need about {}", unit.show(reserved))
            }
        };
        let mut message = format!(
            "the budget of {} is used up: {} used{of}{under_way}; stop, or raise it by `monitor.limit({})`",
            self.budget,
            unit.show(used),
            self.budget.as_code()
        );
        if name == OTHERS {
            message += ", or let the monitor tell more names apart by `.most_names(..)`";
        }
        let left = self
            .budget
            .window()
            .zip(account.and_then(|account| account.since))
            .map(|(window, since)| window.saturating_sub(now.saturating_duration_since(since)));
        match left {
            Some(left) => {
                message += &format!(", or wait {} s until its next time begins", left.as_secs_f64().ceil());
                Error::new(ErrorKind::Exhausted, message).with_retry_after(left)
            }
            None => Error::new(ErrorKind::Exhausted, message),
        }
    }

    fn state(&self, name: &Name) -> BudgetState {
        let (used, reserved) =
            self.accounts.get(name).map_or((0, 0), |account| (account.used, account.reserved));
        BudgetState {
            budget: self.budget.clone(),
            of: matches!(self.budget.scope(), Scope::Each(_)).then(|| name.clone()),
            used,
            reserved,
            limit: self.limit,
            share: used as f64 / self.limit as f64,
        }
    }

    fn states(&self) -> Vec<BudgetState> {
        if !matches!(self.budget.scope(), Scope::Each(_)) {
            return vec![self.state(&Name::default())];
        }
        let mut states: Vec<_> = self.accounts.keys().map(|name| self.state(name)).collect();
        states.sort_by(|one, other| other.used.cmp(&one.used).then_with(|| one.of.cmp(&other.of)));
        states
    }
}

impl Account {
    /// Begins a new time, if the one before is over. What is reserved stays so.
    fn begin(&mut self, window: Option<std::time::Duration>, now: Instant) {
        let Some(window) = window else { return };
        if self.is_over(window, now) {
            (self.since, self.used, self.told) = (Some(now), 0, 0.0);
        }
    }

    fn is_over(&self, window: std::time::Duration, now: Instant) -> bool {
        self.since.is_none_or(|since| now.saturating_duration_since(since) >= window)
    }
}
