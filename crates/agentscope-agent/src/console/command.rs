//! What a line asks for: a message to the agent, or one of the commands.

/// What a line asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    /// Nothing: the line is empty.
    Nothing,
    /// The agent is told this.
    Say(String),
    Help,
    Tools,
    History,
    /// The result of a tool in full: the last one, or the one so many before it.
    Last(usize),
    /// What is no number, where one should be.
    NoNumber(String),
    Usage,
    Save {
        file: Option<String>,
        replace: bool,
    },
    Exit,
    /// There is no such command.
    Unknown(String),
}

/// Each command, and what it does.
pub(super) const COMMANDS: [(&str, &str); 7] = [
    ("/help", "shows this"),
    ("/tools", "what the agent can call"),
    ("/history", "what was said in this talk"),
    ("/last [n]", "the last result of a tool in full, or the n-th last"),
    ("/usage", "tokens of this talk, and what they cost"),
    ("/save [file]", "keeps the talk, as JSON in a .json; /save! replaces"),
    ("/exit", "leaves"),
];

/// The names of the commands.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, _)| name.split(' ').next().unwrap_or(name))
}

impl Command {
    /// Reads a line. `//` begins a message with a slash; so does what is no name of a command, such as a path, and what has
    /// several lines.
    pub(super) fn read(line: &str) -> Self {
        let text = line.trim();
        if text.is_empty() {
            return Self::Nothing;
        }
        let say = || Self::Say(line.trim_matches('\n').trim_end().to_owned());
        let Some(rest) = text.strip_prefix('/') else { return say() };
        if rest.starts_with('/') {
            return Self::Say(rest.to_owned());
        }
        let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if text.contains('\n') || !name.chars().all(|it| it.is_ascii_alphabetic() || it == '!') {
            return say();
        }
        let argument = argument.trim();
        let file = || Some(argument.to_owned()).filter(|it| !it.is_empty());
        match name {
            "help" => Self::Help,
            "tools" => Self::Tools,
            "history" => Self::History,
            "last" if argument.is_empty() => Self::Last(1),
            "last" => match argument.parse() {
                Ok(number) if number > 0 => Self::Last(number),
                _ => Self::NoNumber(argument.to_owned()),
            },
            "usage" => Self::Usage,
            "save" => Self::Save { file: file(), replace: false },
            "save!" => Self::Save { file: file(), replace: true },
            "exit" => Self::Exit,
            _ => Self::Unknown(format!("/{name}")),
        }
    }
}

/// What to say about a command that there is not.
pub(super) fn unknown(name: &str) -> String {
    let begun = names().find(|known| name.len() > 1 && known.starts_with(name));
    // No more than half of the word is mended: what is further away was meant otherwise.
    let near = |known: &&str| distance(name, known) <= 3.min(name.len().saturating_sub(1) / 2);
    let nearest = begun.or_else(|| names().min_by_key(|known| distance(name, known)).filter(near));
    let meant = nearest.map_or_else(String::new, |known| format!("did you mean {known}? "));
    format!(
        "there is no command {name}: {meant}/help shows all, and //{} is sent as a message",
        name.trim_start_matches('/')
    )
}

/// How many characters have to be put in, taken out or replaced.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (at, each) in one.chars().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        let mut next = vec![left];
        for (above, here) in row.iter().skip(1).zip(other.chars()) {
            left = (left + 1).min(above + 1).min(diagonal + usize::from(each != here));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_begins_a_command_and_two_a_message() {
        let say = |text: &str| Command::Say(text.to_owned());
        assert_eq!(Command::read("  "), Command::Nothing);
        assert_eq!(Command::read(" /exit "), Command::Exit);
        assert_eq!(Command::read("/last 3"), Command::Last(3));
        assert_eq!(Command::read("/last"), Command::Last(1));
        assert_eq!(Command::read("/last x"), Command::NoNumber("x".into()));
        assert_eq!(Command::read("/last 0"), Command::NoNumber("0".into()));
        assert_eq!(
            Command::read("/save! a b.md"),
            Command::Save { file: Some("a b.md".into()), replace: true }
        );
        assert_eq!(Command::read("//help me"), say("/help me"));
        assert_eq!(Command::read("/etc/passwd is what?"), say("/etc/passwd is what?"));
        assert_eq!(Command::read("/help\nme"), say("/help\nme"));
        assert_eq!(Command::read("\n  indented\n"), say("  indented"));
        assert_eq!(Command::read("/hepl"), Command::Unknown("/hepl".into()));
    }

    #[test]
    fn an_unknown_command_is_answered_by_the_nearest() {
        assert!(unknown("/hepl").contains("did you mean /help?"), "{}", unknown("/hepl"));
        assert!(unknown("/quit").contains("did you mean /exit?"), "{}", unknown("/quit"));
        assert!(!unknown("/reconsider").contains("mean"), "{}", unknown("/reconsider"));
        assert!(!unknown("/nope").contains("mean"), "{}", unknown("/nope"));
        assert!(unknown("/h").contains("did you mean /help?"), "{}", unknown("/h"));
        assert_eq!((distance("kitten", "sitting"), distance("", "abc")), (3, 3));
    }
}
