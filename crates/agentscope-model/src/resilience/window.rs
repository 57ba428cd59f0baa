//! What went through in the last minute.

use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// The time for which limits are.
const MINUTE: Duration = Duration::from_secs(60);

/// What comes within this time (100 ms) is remembered as one, so that at most 600 of these are.
const SLOT: Duration = Duration::from_millis(100);

/// What went through in the last minute, and what may. In no minute, wherever it begins, is it more than the limits.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) requests: Option<u64>,
    pub(super) tokens: Option<u64>,
    slots: VecDeque<Slot>,
    sum: Load,
    /// The server has asked to be left alone until then.
    closed_until: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Load {
    requests: u64,
    tokens: u64,
}

#[derive(Debug)]
struct Slot {
    from: Instant,
    to: Instant,
    load: Load,
}

impl Window {
    pub(super) const fn new(requests: Option<u64>, tokens: Option<u64>) -> Self {
        let sum = Load { requests: 0, tokens: 0 };
        Self { requests, tokens, slots: VecDeque::new(), sum, closed_until: None }
    }

    /// Lets a request of so many tokens in, or says how long to wait. What it gives names the request to [`correct`](Self::correct).
    pub(super) fn enter(&mut self, tokens: u64, now: Instant) -> Result<Instant, Duration> {
        while let Some(first) = self.slots.front()
            && first.to + MINUTE <= now
        {
            self.sum.requests -= first.load.requests;
            self.sum.tokens = self.sum.tokens.saturating_sub(first.load.tokens);
            self.slots.pop_front();
        }
        let free = self.free_at(tokens).max(self.closed_until).filter(|free| *free > now);
        if let Some(free) = free {
            return Err(free - now);
        }
        let from = match self.slots.back_mut() {
            Some(last) if now < last.from + SLOT => {
                last.to = now;
                last.from
            }
            _ => {
                self.slots.push_back(Slot { from: now, to: now, load: Load::default() });
                now
            }
        };
        self.add(from, 1, tokens);
        Ok(from)
    }

    /// When there is room for it. A request that is larger than the limit waits until nothing else is there: the estimate may be
    /// wrong, and the server knows better.
    fn free_at(&self, tokens: u64) -> Option<Instant> {
        let has_room = |load: Load| {
            let requests = self.requests.is_none_or(|limit| load.requests < limit.max(1));
            let room = |limit: u64| load.tokens == 0 || load.tokens.saturating_add(tokens) <= limit;
            requests && self.tokens.is_none_or(room)
        };
        let mut load = self.sum;
        let mut free = None;
        for slot in &self.slots {
            if has_room(load) {
                break;
            }
            load.requests -= slot.load.requests;
            load.tokens = load.tokens.saturating_sub(slot.load.tokens);
            free = Some(slot.to + MINUTE);
        }
        free
    }

    fn add(&mut self, from: Instant, requests: u64, tokens: u64) {
        if let Some(slot) = self.slots.iter_mut().rfind(|slot| slot.from == from) {
            slot.load.requests += requests;
            slot.load.tokens = slot.load.tokens.saturating_add(tokens);
            self.sum.requests += requests;
            self.sum.tokens = self.sum.tokens.saturating_add(tokens);
        }
    }

    /// The request that came at `from` had other tokens than was thought.
    pub(super) fn correct(&mut self, from: Instant, estimate: u64, tokens: u64) {
        if let Some(slot) = self.slots.iter_mut().rfind(|slot| slot.from == from) {
            let old = slot.load.tokens;
            slot.load.tokens = old.saturating_sub(estimate).saturating_add(tokens);
            self.sum.tokens = self.sum.tokens.saturating_sub(old).saturating_add(slot.load.tokens);
        }
    }

    /// Lets nobody in for this time.
    pub(super) fn close(&mut self, now: Instant, wait: Duration) {
        self.closed_until = self.closed_until.max(now.checked_add(wait));
    }
}
