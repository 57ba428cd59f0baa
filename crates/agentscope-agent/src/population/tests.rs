use super::*;
use agentscope_core::{Context, Interrupt, ModelCard, Reason, model_fn};
use std::collections::BTreeMap;

const GOOD: &str = "
population: 1000
distributions:
  - name: age
    categories:
      - {name: young, proportion: 0.333}
      - {name: middle, proportion: 0.333}
      - {name: old, proportion: 0.334}
  - name: education
    categories:
      - name: primary school
        proportion: 0.999
      - {name: doctorate, proportion: 0.001}
      - {name: none, proportion: 0}
";

fn message(text: &str) -> String {
    let error = Population::from_yaml(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    error.message().to_owned()
}

/// The good file with something else in it.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from));
    GOOD.replacen(from, to, 1)
}

fn counts(people: People, distribution: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for person in people {
        *counts.entry(person.get(distribution).unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn there_are_exactly_as_many_of_each_as_the_proportions_say() {
    let population = Population::from_yaml(GOOD).unwrap();
    for seed in 0..20 {
        let age = counts(population.people(seed), "age");
        assert_eq!(age, [("middle".into(), 333), ("old".into(), 334), ("young".into(), 333)].into());
        let education = counts(population.people(seed), "education");
        assert_eq!(education, [("doctorate".into(), 1), ("primary school".into(), 999)].into());
    }
}

#[test]
fn drawn_one_by_one_there_are_about_as_many_and_none_of_what_there_is_not() {
    let population = Population::from_yaml(GOOD).unwrap();
    let mut different = false;
    for seed in 0..20 {
        let counts_of = |name| counts(population.people(seed).drawn(), name);
        let young = counts_of("age")["young"];
        assert!((250..420).contains(&young), "{young} of 1000 with the proportion 0.333");
        assert!(!counts_of("education").contains_key("none"));
        different |= young != 333;
    }
    assert!(different);
}

#[test]
fn a_seed_gives_the_same_people_in_every_version() {
    let population = Population::from_yaml(&with("1000", "6")).unwrap();
    let ages = |people: People| people.map(|it| it.get("age").unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ages(population.people(7)), ages(population.people(7)));
    assert_eq!(ages(population.people(7)), ["old", "young", "middle", "young", "middle", "old"]);
    assert_eq!(ages(population.people(7).drawn()), ["old", "middle", "young", "young", "old", "young"]);
    assert_ne!(ages(population.people(8)), ages(population.people(7)));
}

#[test]
fn what_one_is_says_nothing_of_what_else_one_is() {
    let halves = |name| Distribution::new(name, [("a", 0.5), ("b", 0.5)]);
    let population = Population::new(100_000).distribution(halves("one")).distribution(halves("other"));
    for people in [population.people(3), population.people(3).drawn()] {
        let both = people.filter(|it| it.get("one") == Some("a") && it.get("other") == Some("a")).count();
        assert!((24_000..26_000).contains(&both), "{both} of 100,000 are both, and a fourth should be");
    }
    let alone = Population::new(100_000).distribution(halves("other"));
    let same =
        alone.people(3).zip(population.people(3)).all(|(one, two)| one.get("other") == two.get("other"));
    assert!(same, "another distribution in the file leaves it as it is");
}

#[test]
fn json_and_yaml_say_the_same() {
    let population = Population::from_yaml(GOOD).unwrap();
    let json = serde_json::to_string(&population).unwrap();
    assert_eq!(Population::from_json(&json).unwrap(), population);
    assert_eq!(Population::from_yaml(&json).unwrap(), population, "JSON is YAML");
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("a.yaml", GOOD), ("a.yml", GOOD), ("a.json", &json), ("a.JSON", &json)] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        assert_eq!(Population::load(&path).unwrap(), population);
    }
}

#[test]
fn proportions_that_do_not_add_up_are_refused_with_their_place() {
    assert_eq!(
        message(&with("0.334", "0.434")),
        "the proportions of distributions[0] (`age`) add up to 1.1: make them add up to 1"
    );
    assert!(message(&with("0.334", "0.234")).contains("add up to 0.9:"));
    let percents = GOOD.replace("0.33", "33.").replace("0.334", "33.4");
    assert!(
        message(&percents).contains("they are no percents, so write 0.3 for 30 %"),
        "{}",
        message(&percents)
    );
}

#[test]
fn a_proportion_that_is_none_is_refused_with_its_place() {
    for proportion in ["-0.1", ".nan", ".inf", "-.inf"] {
        let message = message(&with("0.334", proportion));
        assert!(
            message.starts_with("distributions[0] (`age`).categories[2] (`old`) has the proportion"),
            "{message}"
        );
        assert!(message.ends_with("make it a number from 0 to 1"), "{message}");
    }
    let message = message(&with("0.334", "much"));
    assert!(message.contains("line 8"), "{message}");
}

#[test]
fn a_population_of_nobody_or_of_too_many_is_refused() {
    for population in ["0", "100000001"] {
        let message = message(&with("1000", population));
        assert_eq!(message, format!("`population` is {population}: make it a number from 1 to 100000000"));
    }
    for population in ["-5", "1.5", "many", "99999999999999999999999"] {
        let message = message(&with("1000", population));
        assert!(message.contains("line 2"), "{message}");
    }
}

#[test]
fn names_that_are_missing_or_there_twice_are_refused() {
    assert_eq!(
        message(&with("middle", "young")),
        "distributions[0] (`age`).categories[1] is a second `young`: rename it, or join the two"
    );
    assert!(message(&with("education", "age")).starts_with("distributions[1] is a second `age`"));
    assert!(message(&with("name: young", "name: ''")).contains("categories[0] has no name"));
    let none = message("population: 1\ndistributions: [{name: age, categories: []}]");
    assert_eq!(none, "distributions[0] (`age`) has 0 categories: give it 1 to 65536");
}

#[test]
fn fields_that_are_misspelt_missing_or_there_twice_are_said_with_their_line() {
    for (from, to, what) in [
        ("population:", "populaton:", "populaton"),
        ("proportion: 0.334", "share: 0.334", "share"),
        ("categories:", "category:", "category"),
        ("population: 1000", "population: 1000\npopulation: 7", "population"),
    ] {
        let message = message(&with(from, to));
        assert!(message.contains(what) && message.contains("line "), "{message}");
        assert!(message.contains("write `population: N` and `distributions`"), "{message}");
    }
    assert!(message("").contains("write `population: N`"));
    assert!(message("- a list").contains("line 1"));
    assert!(Population::from_json("{\"population\": }").unwrap_err().message().contains("line 1 column 16"));
}

#[test]
fn a_file_that_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.yaml");
    let missing = Population::load(&path).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.message().contains("people.yaml: could not be read"), "{missing}");
    std::fs::write(&path, with("0.334", "0.434")).unwrap();
    let wrong = Population::load(&path).unwrap_err();
    assert!(wrong.message().contains("people.yaml: the proportions of"), "{wrong}");
}

#[test]
fn a_population_that_is_wrong_and_was_not_read_has_nobody() {
    let wrong = Population::new(5).distribution(Distribution::new("coin", [("heads", 0.5), ("tails", 0.6)]));
    assert!(wrong.check().is_err());
    assert_eq!(wrong.people(1).count(), 0);
    assert_eq!(Population::new(5).people(1).len(), 5, "who do not differ");
}

#[test]
fn a_template_takes_what_there_is_and_says_what_there_is_not() {
    let population = Population::from_yaml(GOOD).unwrap();
    let person = population.people(7).nth(3).unwrap();
    let of = |text| Background::new(text, &population).map(|it| it.of(&person));
    assert_eq!(of("{{{number}}}: {age}").unwrap(), format!("{{3}}: {}", person.get("age").unwrap()));
    assert_eq!(of("").unwrap(), "");
    for (text, what) in
        [("{jop}", "{number}, {age}, {education}"), ("{age", "`{age`"), ("a } b", "`} b`"), ("{}", "`{}`")]
    {
        let error = of(text).unwrap_err();
        assert!(error.message().contains(what), "{error}");
    }
}

#[tokio::test]
async fn a_background_by_a_model_that_writes_none_or_is_interrupted_is_an_error() {
    let population = Population::from_yaml(GOOD).unwrap();
    let (person, list) = (population.people(7).next().unwrap(), Background::list(&population));
    let silent = model_fn(ModelCard::new("silent"), |_| async { Ok("## Background \n") });
    let error = list.written_by(&silent, &person, Context::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let stop = Interrupt::new();
    stop.trigger(Reason::User(None));
    let slow = model_fn(ModelCard::new("slow"), |_| std::future::pending::<Result<&str>>());
    let error = list.written_by(&slow, &person, Context::new().with_interrupt(stop)).await.unwrap_err();
    assert!(error.message().contains("interrupted"), "{error}");
}
