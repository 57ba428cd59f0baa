use super::*;
use crate::UserAgent;
use agentscope_core::{Agent, AgentExt, Finish, Interrupt};
use std::sync::mpsc;
use tokio::sync::watch;

/// A keyboard at which a test types.
struct Keyboard(mpsc::Receiver<String>);

impl io::Read for Keyboard {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Ok(line) = self.0.recv() else { return Ok(0) };
        into[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

/// A screen at which a test looks.
struct Screen(watch::Sender<String>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send_modify(|shown| shown.push_str(std::str::from_utf8(bytes).unwrap()));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Seat {
    terminal: Terminal,
    keys: mpsc::Sender<String>,
    shown: watch::Receiver<String>,
}

impl Seat {
    fn new() -> Self {
        let (keys, typed) = mpsc::channel();
        let (screen, shown) = watch::channel(String::new());
        Self { terminal: Terminal::new(io::BufReader::new(Keyboard(typed)), Screen(screen)), keys, shown }
    }

    fn type_line(&self, line: &str) {
        self.keys.send(format!("{line}\n")).unwrap();
    }

    async fn sees(&mut self, end: &str) {
        self.shown.wait_for(|shown| shown.ends_with(end)).await.unwrap();
    }

    fn all(&self) -> String {
        self.shown.borrow().clone()
    }
}

#[tokio::test]
async fn what_was_said_is_shown_and_an_empty_line_is_no_answer() {
    let seat = Seat::new();
    let bob = UserAgent::new("Bob", seat.terminal.clone());
    bob.observe(vec![Msg::assistant("Friday", "It \u{1b}[2Jrains.\u{202e}").into()]).await.unwrap();
    ["", "  ", "So it does."].iter().for_each(|line| seat.type_line(line));
    let asked = Msg::user("Look.").url("https://example.org/rain.png");
    assert_eq!(bob.reply(asked).await.unwrap().text(), "So it does.");
    let shown = "Friday: It [2Jrains.\nuser: Look. [image/png]\nBob> Bob> Bob> ";
    assert_eq!(seat.all(), shown);
    seat.type_line("Goodbye.");
    let quiet = UserAgent::new("Bob", seat.terminal.clone().quiet());
    assert_eq!(quiet.reply("Anything else?").await.unwrap().text(), "Goodbye.");
    assert_eq!(seat.all(), format!("{shown}Bob> "));
}

#[tokio::test]
async fn the_end_of_the_input_is_an_error_and_no_answer() {
    let bob = UserAgent::new("Bob", Terminal::new(io::empty(), io::sink()));
    for _ in 0..2 {
        let error = bob.reply("Hello?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    let error = bob.reply("Hello?").typed::<u8>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_person_who_is_interrupted_can_be_asked_again_and_no_line_is_lost() {
    let mut seat = Seat::new();
    let bob = UserAgent::new("Bob", seat.terminal.clone());
    let stop = Interrupt::new();
    let reply = bob.reply("First?").interrupt(&stop).start();
    seat.sees("Bob> ").await;
    stop.trigger(Reason::User(None));
    assert_eq!(reply.await.unwrap().finish, Some(Finish::Interrupted));
    let reply = bob.reply("Second?").start();
    seat.sees("user: Second?\nBob> ").await;
    seat.type_line("Here I am.");
    seat.type_line("And here.");
    assert_eq!(reply.await.unwrap().text(), "Here I am.");
    assert_eq!(bob.reply("Third?").await.unwrap().text(), "And here.");
}

#[tokio::test]
async fn ctrl_c_interrupts_while_the_person_is_asked() {
    let mut seat = Seat::new();
    let mut terminal = seat.terminal.clone();
    terminal.ctrl_c = Some(|| Box::pin(std::future::ready(())));
    let reply = UserAgent::new("Bob", terminal).reply("Well?").await.unwrap();
    assert_eq!((reply.finish, reply.content.len()), (Some(Finish::Interrupted), 0));
    let alice = UserAgent::new("Alice", seat.terminal.clone());
    let reply = alice.reply("And you?").start();
    seat.sees("Alice> ").await;
    seat.type_line("Fine.");
    assert_eq!(reply.await.unwrap().text(), "Fine.");
}

#[tokio::test]
async fn two_people_at_one_terminal_are_asked_one_after_the_other() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Vote {
        color: String,
        number: u8,
    }
    let seat = Seat::new();
    let people = ["Alice", "Bob"].map(|name| UserAgent::new(name, seat.terminal.clone()));
    ["red", "x", "300", "3", "blue", "4"].iter().for_each(|line| seat.type_line(line));
    let votes =
        people.iter().map(|it| std::future::IntoFuture::into_future(it.reply("Vote.").typed::<Vote>()));
    let votes: Vec<_> = futures_util::future::join_all(votes).await.into_iter().map(Result::unwrap).collect();
    let said: Vec<_> = votes.iter().map(|it| (it.color.as_str(), it.number)).collect();
    assert!(said == [("red", 3), ("blue", 4)] || said == [("blue", 4), ("red", 3)], "{said:?}");
    assert!(seat.all().contains("number (whole number)\n"), "{}", seat.all());
    assert!(seat.all().contains("That does not fit: `x` is no whole number, such as 42\n"), "{}", seat.all());
    assert!(seat.all().contains("300 is greater than the maximum of 255"), "{}", seat.all());
}

#[tokio::test]
async fn a_terminal_that_cannot_be_written_to_says_so() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("it is off"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let bob = UserAgent::new("Bob", Terminal::new(io::empty(), Broken));
    let error = bob.reply("Hello?").await.unwrap_err();
    assert_eq!(error.to_string(), "the terminal cannot be used: it is off");
}
