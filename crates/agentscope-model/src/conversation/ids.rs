//! The ids of calls, for providers that want each of them once and in letters that they know. Those of a history may come from
//! anyone: some providers begin anew with each answer.

use std::{borrow::Cow, collections::HashSet};

/// Longest id (64 characters), as OpenAI has it; Anthropic names no limit.
const LENGTH: usize = 64;

/// The ids of a conversation's calls.
#[derive(Default)]
pub(crate) struct CallIds<'a> {
    used: HashSet<Cow<'a, str>>,
    /// The calls of the last round whose results have not come: as they are called here, and on the wire.
    open: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> CallIds<'a> {
    /// The id of a call on the wire: its own, unless another call has it or the provider would not take it.
    pub(crate) fn call(&mut self, id: &'a str) -> Cow<'a, str> {
        let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
        let fitting: Cow<'a, str> = match id {
            "" => "call".into(),
            id if id.len() <= LENGTH && id.chars().all(fits) => id.into(),
            id => id.chars().take(LENGTH).map(|it| if fits(it) { it } else { '_' }).collect(),
        };
        self.once(id, fitting)
    }

    /// The same for a provider that takes back any id which it gave: Kimi's have dots and colons, and a model reads its own best.
    pub(crate) fn as_given(&mut self, id: &'a str) -> Cow<'a, str> {
        self.once(id, id.into())
    }

    fn once(&mut self, id: &'a str, mut unique: Cow<'a, str>) -> Cow<'a, str> {
        if self.used.contains(&unique) {
            let stem: String = unique.chars().take(LENGTH - 8).collect();
            let mut count = 2;
            while self.used.contains(&unique) {
                unique = format!("{stem}_{count}").into();
                count += 1;
            }
        }
        self.used.insert(unique.clone());
        self.open.push((id, unique.clone()));
        unique
    }

    /// The id of the call on the wire that a result belongs to.
    pub(crate) fn result(&mut self, id: &'a str) -> Cow<'a, str> {
        match self.open.iter().position(|(own, _)| *own == id) {
            Some(at) => self.open.remove(at).1,
            None => id.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_there_once_and_its_result_finds_it() {
        let mut ids = CallIds::default();
        assert_eq!(
            (ids.call("0_look"), ids.call("functions.look:0")),
            ("0_look".into(), "functions_look_0".into())
        );
        assert_eq!(
            (ids.result("functions.look:0"), ids.result("0_look")),
            ("functions_look_0".into(), "0_look".into())
        );
        assert_eq!(
            (ids.call("0_look"), ids.call("0_look"), ids.call("")),
            ("0_look_2".into(), "0_look_3".into(), "call".into())
        );
        assert_eq!((ids.result("0_look"), ids.result("0_look")), ("0_look_2".into(), "0_look_3".into()));
        assert_eq!(
            (ids.as_given("functions.look:0"), ids.as_given("functions.look:0")),
            ("functions.look:0".into(), "functions.look:0_2".into())
        );
        let long = "x".repeat(80);
        assert_eq!(ids.call(&long).len(), 64);
        assert!(ids.call(&long).len() <= 64);
    }
}
