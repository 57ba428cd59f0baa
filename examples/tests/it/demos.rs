//! What the demos show.

use super::run::run;
use std::collections::BTreeMap;

/// The lines that begin with this.
fn lines<'a>(out: &'a str, begin: &str) -> Vec<&'a str> {
    out.lines().filter(|line| line.starts_with(begin)).collect()
}

#[test]
fn the_assistant_answers_in_turn_and_remembers() {
    let out = run("conversation", "hi\nmy name is Bob\n\nthis is fine\nwhat is my name?\nexit\nnot read\n");
    let said = lines(&out, "assistant: ");
    assert_eq!(said[..2], ["assistant: Hello! What is your name?", "assistant: Nice to meet you, Bob."]);
    assert_eq!((said.len(), said[3]), (4, "assistant: You are Bob."));
    assert!(out.ends_with("user> exit\n"), "{out}");
}

#[test]
fn who_is_mentioned_speaks_and_the_guest_otherwise() {
    let out = run("group_chat", "@Cleo?\nhello\n@Ben then @Ann\nexit\n");
    let turns: Vec<&str> = out.lines().skip(2).filter_map(|line| line.split([':', '>']).next()).collect();
    assert_eq!(turns, ["Host", "Ann", "Ben", "You", "Cleo", "You", "You", "Ben", "Ann", "You"]);
}

#[test]
fn the_judge_ends_the_debate_with_a_verdict() {
    let out = run("debate", "");
    assert_eq!(
        [lines(&out, "Amy: ").len(), lines(&out, "Bob: ").len(), lines(&out, "Judge: ").len()],
        [2, 2, 2]
    );
    assert!(out.lines().last().unwrap().starts_with("The winner is Amy: "), "{out}");
}

#[test]
fn all_at_once_is_quicker_than_one_by_one_and_says_the_same() {
    let out = run("concurrent", "");
    let time = |how: &str| -> f64 {
        let line = lines(&out, how)[0];
        line.strip_prefix(how).unwrap().trim_matches([':', ' ', 's']).parse().unwrap()
    };
    let (slow, quick) = (time("one by one"), time("all at once"));
    assert!(slow >= 0.9 && quick >= 0.3 && quick < slow, "{out}");
    for expert in ["geographer", "historian", "cook"] {
        let said = lines(&out, &format!("  {expert}: "));
        assert_eq!(said[0], said[1]);
    }
}

#[test]
fn a_question_goes_to_who_knows_by_either_way() {
    let out = run("routing", "");
    assert_eq!([lines(&out, "  to Math, ").len(), lines(&out, "  to Travel, ").len()], [1, 1], "{out}");
    assert_eq!(
        [lines(&out, "  Desk asks Math, ").len(), lines(&out, "  Desk asks Travel, ").len()],
        [1, 1],
        "{out}"
    );
    assert_eq!(out.matches("86,400").count(), 2, "{out}");
}

#[test]
fn a_customer_is_handed_on_and_back() {
    let out = run("handoff", "when?\nmy machine is broken\nexit\n");
    let with: Vec<&str> = lines(&out, "(you talk to ");
    assert_eq!(with, ["(you talk to Billing)", "(you talk to Billing)", "(you talk to Repairs)"], "{out}");
    assert!(out.contains("\nRepairs: Turn it off"), "{out}");
}

#[test]
fn an_auction_keeps_its_rules_whatever_is_bid() {
    let out = run("auction", "");
    let mut purses = BTreeMap::from([("Ann", 100), ("Ben", 80), ("Cleo", 30)]);
    let sales: Vec<&str> = out.split("For sale: ").skip(1).collect();
    assert_eq!(sales.len(), 3, "{out}");
    for sale in sales {
        let mut leader = ("nobody", 0);
        for line in sale.lines().filter(|line| line.contains(" bids ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let coins: u32 = words[2].trim_end_matches(',').parse().unwrap();
            let fits = coins >= leader.1 + 10 && coins <= purses[words[0]];
            // A bid of the same round as the leader's may be as high as that one; then the leader was first.
            assert_eq!(
                !line.contains("refused"),
                fits || coins == leader.1 && coins <= purses[words[0]],
                "{line}\n{out}"
            );
            if fits {
                leader = (words[0], coins);
            }
        }
        let sold = format!(" goes to {} for {}.", leader.0, leader.1);
        assert!(sale.contains(&sold), "{sold}\n{out}");
        *purses.get_mut(leader.0).unwrap() -= leader.1;
    }
    assert!(out.contains("Cleo bids 40, refused: has 30"), "{out}");
}
