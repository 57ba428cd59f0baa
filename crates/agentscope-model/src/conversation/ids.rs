//! The ids of calls, for providers that want each of them once and in letters that they know. Those of a history may come from
//! anyone: some providers begin anew with each answer.

use std::{borrow::Cow, collections::HashSet};

/// Longest id (64 characters) of OpenAI's newer API; Anthropic names no limit.
const LENGTH: usize = 64;

/// Longest id (40 characters) of OpenAI's chat API.
const SHORT: usize = 40;

/// Length of an id as Mistral has it: no more and no less.
const EXACT: usize = 9;

/// What an id of Mistral is made of.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Which ids a provider takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum IdForm {
    /// Any, but each once.
    Any,
    /// Up to 64 letters, digits, `_` and `-`.
    #[default]
    Long,
    /// Up to 40 of them.
    Short,
    /// Nine letters and digits.
    Exact,
}

/// The ids of a conversation's calls.
#[derive(Default)]
pub(crate) struct CallIds<'a> {
    form: IdForm,
    used: HashSet<Cow<'a, str>>,
    /// The calls of the last round whose results have not come: as they are called here, and on the wire.
    open: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> CallIds<'a> {
    pub(crate) fn of(form: IdForm) -> Self {
        Self { form, ..Self::default() }
    }

    /// The id of a call on the wire: its own, unless another call has it or the provider would not take it.
    pub(crate) fn call(&mut self, id: &'a str) -> Cow<'a, str> {
        let length = match self.form {
            // Kimi's have dots and colons, and a model reads its own best.
            IdForm::Any => return self.once(id, id.into(), LENGTH),
            IdForm::Long => LENGTH,
            IdForm::Short => SHORT,
            IdForm::Exact => return self.exact(id),
        };
        let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
        let fitting: Cow<'a, str> = match id {
            "" => "call".into(),
            id if id.len() <= length && id.chars().all(fits) => id.into(),
            id => id.chars().take(length).map(|it| if fits(it) { it } else { '_' }).collect(),
        };
        self.once(id, fitting, length)
    }

    fn once(&mut self, id: &'a str, mut unique: Cow<'a, str>, length: usize) -> Cow<'a, str> {
        if self.used.contains(&unique) {
            let stem: String = unique.chars().take(length - 8).collect();
            let mut count = 2;
            while self.used.contains(&unique) {
                unique = format!("{stem}_{count}").into();
                count += 1;
            }
        }
        self.open(id, unique)
    }

    /// Nine letters and digits: its own, or those that are always made of it.
    fn exact(&mut self, id: &'a str) -> Cow<'a, str> {
        let is_exact = id.len() == EXACT && id.bytes().all(|it| it.is_ascii_alphanumeric());
        let mut unique: Cow<'a, str> = if is_exact { id.into() } else { digest(id, 0).into() };
        let mut count = 1;
        while self.used.contains(&unique) {
            unique = digest(id, count).into();
            count += 1;
        }
        self.open(id, unique)
    }

    fn open(&mut self, id: &'a str, unique: Cow<'a, str>) -> Cow<'a, str> {
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

/// Letters and digits made of an id, as FNV-1a has it, the same in each request: what a provider keeps begins with them.
fn digest(id: &str, count: u64) -> String {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = id.bytes().chain(count.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, mix);
    let mut letter = || {
        let letter = ALPHABET.get((hash % 62) as usize).copied().unwrap_or(b'0');
        hash /= 62;
        char::from(letter)
    };
    (0..EXACT).map(|_| letter()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_length_that_the_provider_takes() {
        let mut ids = CallIds::of(IdForm::Exact);
        let (own, long, again) =
            (ids.call("abcDEF123"), ids.call("toolu_01A09q90qw90lq917835lq9"), ids.call("abcDEF123"));
        assert_eq!(own, "abcDEF123");
        for id in [&long, &again, &ids.call("")] {
            assert!(id.len() == 9 && id.bytes().all(|it| it.is_ascii_alphanumeric()), "{id}");
        }
        assert!(long != own && again != own);
        assert_eq!(ids.result("toolu_01A09q90qw90lq917835lq9"), long);
        assert_eq!(
            CallIds::of(IdForm::Exact).call("toolu_01A09q90qw90lq917835lq9"),
            long,
            "each time the same"
        );
        let mut short = CallIds::of(IdForm::Short);
        let long = "x".repeat(60);
        assert_eq!((short.call(&long).len(), short.call("call_1")), (40, "call_1".into()));
        assert_eq!(CallIds::of(IdForm::Any).call("functions.look:0"), "functions.look:0");
    }

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
        let mut any = CallIds::of(IdForm::Any);
        assert_eq!(
            (any.call("functions.look:0"), any.call("functions.look:0")),
            ("functions.look:0".into(), "functions.look:0_2".into())
        );
        let long = "x".repeat(80);
        assert_eq!(ids.call(&long).len(), 64);
        assert!(ids.call(&long).len() <= 64);
    }
}
