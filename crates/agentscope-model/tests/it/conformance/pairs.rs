//! Two faults after each other and then a good answer, in every order: what comes of it, and after how many requests.

use super::{
    faults::{self, WORDS, cut, garbage, hello, listen, reset, stall_before, stall_within, status},
    stage::{run, serve},
};
use crate::server::Answer;

const PAIRED: [(&str, fn() -> Answer); 7] = [
    ("429", || status(429)),
    ("500", || status(500)),
    ("stall before", stall_before),
    ("stall within", stall_within),
    ("reset", reset),
    ("garbage", garbage),
    ("cut", cut),
];

/// What the page tells users, which is what happens.
const PAGE: &str = include_str!("../../../../../docs/resilience.md");

#[tokio::test]
async fn faults_in_every_order_of_two_end_as_the_page_says() {
    let stage = serve(|request, nth| {
        let case = super::stage::case_of(request).rsplit(": ").next().unwrap_or_default();
        let fault = case.split(", then ").nth(nth).and_then(|name| PAIRED.iter().find(|(it, _)| *it == name));
        fault.map_or_else(hello, |(_, fault)| fault())
    });
    let pairs =
        || PAIRED.iter().flat_map(|(first, _)| PAIRED.iter().map(move |(second, _)| (*first, *second)));
    let cases = faults::formats(&stage).into_iter().flat_map(|case| {
        pairs().map(|(first, second)| case.trying(format!("{first}, then {second}"))).collect::<Vec<_>>()
    });
    let cases: Vec<_> = cases.collect();
    run(&cases, async |case| {
        let (said, error) = listen(case).await;
        let (first, second) = case.what().split_once(", then ").unwrap();
        let wanted = cell(first, second, case.stream);
        let found = match error {
            None if said == WORDS => format!("answer, {}", case.count()),
            None => panic!("{case}: {said:?} is not the answer"),
            Some(error) => {
                assert!(WORDS.starts_with(&said), "{case}: {said:?}");
                format!("`{:?}`, {}", error.kind(), case.count())
            }
        };
        assert_eq!(found, wanted, "{case}: {}", case.what());
    })
    .await;
}

/// What the page has for a pair, of which it has a table for streams and one for whole answers.
fn cell(first: &str, second: &str, stream: bool) -> String {
    let heading = if stream { "**As a stream**" } else { "**As a whole**" };
    let (_, table) =
        PAGE.split_once(heading).unwrap_or_else(|| panic!("the page has no table under {heading}"));
    let mut lines = table
        .trim_start()
        .lines()
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    let at = lines.next().unwrap().iter().position(|name| *name == second);
    let line = lines
        .find(|line| line.first() == Some(&first))
        .unwrap_or_else(|| panic!("{heading} has no line {first}"));
    line[at.unwrap_or_else(|| panic!("{heading} has no column {second}"))].to_owned()
}
