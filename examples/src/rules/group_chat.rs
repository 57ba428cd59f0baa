//! Characters who say something about what they do, and give the word to whoever was mentioned too.

use super::{Rules, last, prompt, say, spoken};

/// What those of a trade say, one after the other.
const LINES: [(&str, [&str; 2]); 3] = [
    ("gardener", ["Whatever it is, plant it in spring and give it time.", "Have you tried compost?"]),
    ("cook", ["I would fry it in butter.", "More salt, and a little lemon."]),
    ("captain", ["In thirty years at sea I have seen that twice.", "First look at the weather."]),
];

/// The characters of `group_chat`.
pub fn group_chat() -> Rules {
    Rules::new(file!(), |req| {
        let prompt = prompt(req);
        let lines = LINES.iter().find(|(trade, _)| prompt.contains(trade)).map(|(_, lines)| lines);
        let line = lines.and_then(|lines| lines.get(spoken(req) % lines.len())).copied().unwrap_or("Hm.");
        let others = last(req);
        let others =
            others.split('@').skip(1).filter_map(|rest| rest.split(|it: char| !it.is_alphanumeric()).next());
        let next = others.filter(|name| !name.is_empty() && *name != req.speaker.as_str()).last();
        say(match next {
            Some(name) => format!("{line} What do you say, @{name}?"),
            None => line.to_owned(),
        })
    })
}
