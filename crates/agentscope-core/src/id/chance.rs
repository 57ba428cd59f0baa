//! Identifiers that nobody guesses, without a call of the operating system for each.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};
use uuid::{Builder, Uuid};

/// Random bytes of one identifier.
const BYTES: usize = 10;

/// How many identifiers one call of the operating system is enough for.
const AHEAD: usize = 24;

thread_local! {
    /// Random bytes that were not used yet, at the end.
    static UNUSED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A UUID version 7, of the operating system's own random bytes.
pub(super) fn uuid() -> Uuid {
    let Some(random) = UNUSED.with_borrow_mut(take) else {
        return Uuid::now_v7(); // asks by itself, and says what is wrong if there is no chance at all
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(now.as_millis()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Takes bytes that nobody else gets: what was taken is not there any more.
fn take(unused: &mut Vec<u8>) -> Option<[u8; BYTES]> {
    if unused.len() < BYTES {
        unused.resize(AHEAD * BYTES, 0);
        if getrandom::fill(unused).is_err() {
            unused.clear();
            return None;
        }
    }
    let random = unused.last_chunk::<BYTES>().copied()?;
    unused.truncate(unused.len() - BYTES);
    Some(random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_are_the_same_and_each_is_of_version_7() {
        let here: Vec<Uuid> = (0..1000).map(|_| uuid()).collect();
        let there = std::thread::spawn(|| (0..1000).map(|_| uuid()).collect::<Vec<_>>()).join().unwrap();
        let all: HashSet<Uuid> = here.iter().chain(&there).copied().collect();
        assert_eq!(all.len(), 2000);
        assert!(all.iter().all(|uuid| uuid.get_version_num() == 7));
        let (first, last) = (here[0].get_timestamp().unwrap(), here[999].get_timestamp().unwrap());
        assert!(first.to_unix() <= last.to_unix());
    }

    #[test]
    fn random_bytes_are_given_away_once() {
        let mut unused = Vec::new();
        let taken: HashSet<[u8; BYTES]> = (0..3 * AHEAD).map(|_| take(&mut unused).unwrap()).collect();
        assert_eq!(taken.len(), 3 * AHEAD);
        assert!(unused.is_empty());
    }
}
