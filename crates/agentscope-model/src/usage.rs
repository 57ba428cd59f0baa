//! What models cost, who spends it, and budgets that stop the work.

mod budget;
mod ledger;
mod meter;
mod tally;

pub use budget::Budget;
pub use meter::Metered;
pub use tally::{BudgetState, Money, Tally, UsageReport};

use agentscope_core::{ChatModel, Error, ErrorKind, Name, Price, Result};
use ledger::{Caller, Ledger, Spent, Ticket};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::time::Instant;

/// How many models, agents and sessions are counted each by itself (10,000). The rest is counted together.
const MOST_NAMES: usize = 10_000;

/// Counts calls, tokens and money by model, by agent and by session, and stops what goes beyond a [`Budget`].
///
/// A clone is the same monitor: one is shared by all models of a program. It counts the calls of the models that went through
/// [`meter`](Self::meter).
///
/// A call is let through while its budgets are not used up, by what was used and by what the calls under way will probably use:
/// the estimated tokens of the request, and as many tokens of an answer as that model's answers have had on average (500 at
/// first, at most [`max_tokens`](agentscope_core::ModelOptions)). So a limit is exceeded by the calls that were under way when it
/// was reached, and by no more; one in calls is never exceeded. Then the next call fails with [`ErrorKind::Exhausted`].
///
/// ```
/// use agentscope_core::{AgentExt, ChatModel, Context, Currency, ErrorKind, ModelCard, ModelRequest, Msg, Price, model_fn};
/// use agentscope_model::{Budget, Monitor};
/// use futures_util::StreamExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// let monitor = Monitor::new();
/// monitor.limit(Budget::calls(1))?;
/// monitor.limit(Budget::money(2.5, Currency::USD).each_session())?;
/// monitor.price("yes", Price::new(0.4, 1.2));
///
/// let model = monitor.meter(model_fn(ModelCard::new("yes"), |_| async { Ok("Yes.") }));
/// let ask = || model.call(ModelRequest::new([Msg::user("Is it?")]), Context::new()).collect::<Vec<_>>();
/// ask().await;
/// let error = ask().await.remove(0).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Exhausted);
/// assert_eq!(
///     error.message(),
///     "the budget of 1 call is used up: 1 call used; stop, or raise it by `monitor.limit(Budget::calls(..))`"
/// );
/// monitor.limit(Budget::calls(2))?; // takes the place of the one before
/// assert!(ask().await[0].is_ok());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Monitor(Arc<Mutex<Ledger>>);

impl Default for Monitor {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Ledger::new(MOST_NAMES))))
    }
}

impl Monitor {
    /// A monitor that has counted nothing and stops nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same model, with its calls counted and stopped.
    pub fn meter<M: ChatModel>(&self, model: M) -> Metered<M> {
        Metered::new(model, self.clone())
    }

    /// Sets a budget. It takes the place of one that limits the same: the same unit (and currency), scope and time. What was used
    /// of that stays used.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a limit that is 0, negative or no number.
    pub fn limit(&self, budget: Budget) -> Result<()> {
        self.books().limit(budget)
    }

    /// What a model costs, by its name. It comes before the price on the model's card.
    pub fn price(&self, model: impl Into<Name>, price: Price) {
        self.books().price(model.into(), price);
    }

    /// Calls `warn` when so much of a budget is used up: 0.8 is 80 %. Once for each model, agent or session that has its own,
    /// and once for each time of a budget that has such. It is called by whoever ends the call, so it must not block.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the share is not above 0 and at most 1.
    ///
    /// ```
    /// # fn main() -> agentscope_core::Result<()> {
    /// let monitor = agentscope_model::Monitor::new();
    /// monitor.warn_at(0.8, |budget| eprintln!("{budget}"))?; // 812 of 1,000 calls for session `chat-1`
    /// assert!(monitor.warn_at(80.0, |_| {}).is_err());
    /// # Ok(()) }
    /// ```
    pub fn warn_at(&self, share: f64, warn: impl Fn(&BudgetState) + Send + Sync + 'static) -> Result<()> {
        if !(share > 0.0 && share <= 1.0) {
            let message =
                format!("{share} is no part of a budget: warn at a share above 0 and at most 1, such as 0.8");
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        self.books().warn_at(share, Arc::new(warn));
        Ok(())
    }

    /// Tells so many models, so many agents and so many sessions apart (10,000 each). What goes beyond is counted together, as
    /// `(others)`, and shares one budget where each has its own.
    pub fn most_names(&self, most: usize) {
        self.books().most_names(most);
    }

    /// Forgets a conversation that is over: its own count and what it used of the budgets that each session has. The totals stay.
    pub fn forget_session(&self, session: impl Into<Name>) {
        self.books().forget_session(&session.into());
    }

    /// All that was counted so far, to be printed or kept.
    pub fn report(&self) -> UsageReport {
        self.books().report()
    }

    /// Adds what another monitor has counted, such as the one of this program before it was started anew. What was used of its
    /// budgets is used of the same budgets here, which are to be set before; a budget for a time begins a new time with it.
    ///
    /// ```
    /// use agentscope_model::{Budget, Monitor, UsageReport};
    ///
    /// # fn main() -> agentscope_core::Result<()> {
    /// let kept = serde_json::to_string(&Monitor::new().report())?; // when the program ends
    ///
    /// let monitor = Monitor::new();
    /// monitor.limit(Budget::tokens(1_000_000))?;
    /// monitor.restore(&serde_json::from_str(&kept)?);
    /// # Ok(()) }
    /// ```
    pub fn restore(&self, report: &UsageReport) {
        self.books().restore(report, Instant::now());
    }

    fn admit(
        &self,
        caller: &Caller,
        input: u64,
        most_output: Option<u64>,
        price: Option<Price>,
    ) -> Result<Ticket> {
        self.books().admit(caller, input, most_output, price, Instant::now())
    }

    fn settle(&self, caller: &Caller, ticket: &Ticket, spent: &Spent) {
        let due = self.books().settle(caller, ticket, spent, Instant::now());
        due.iter().for_each(|(warn, state)| warn(state));
    }

    /// The books are open for a moment, never over an await. Whoever panics with them open has not made them wrong.
    fn books(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("total", &self.report().total).finish_non_exhaustive()
    }
}
