//! What is known of models by their names.

/// Whether a model of OpenAI is known to think: one that does not refuses to be asked for thoughts.
pub(crate) fn thinks(model: &str) -> bool {
    let number =
        |text: &str| text.split(|it: char| !it.is_ascii_digit()).next().unwrap_or_default().parse::<u32>();
    let is_numbered = |prefix: &str, from: u32| {
        model.strip_prefix(prefix).is_some_and(|rest| number(rest).is_ok_and(|number| number >= from))
    };
    !model.contains("-chat") && (is_numbered("o", 1) || is_numbered("gpt-", 5) || model.starts_with("codex"))
}

/// Whether it takes a temperature and a `top_p`: one that thinks refuses them, unless it was told not to think, or some do not
/// think until they are told to. Such settings are left out, so that the same ones serve several models.
pub(crate) fn takes_sampling(model: &str, effort: Option<&str>) -> bool {
    let rests = ["gpt-5.1", "gpt-5.2", "gpt-5.4"].iter().any(|it| model.starts_with(it));
    match effort {
        _ if !thinks(model) => true,
        Some(effort) => effort == "none",
        None => rests && !model.contains("codex") && !model.contains("-pro"),
    }
}

/// Whether it ends its answer at words that it is given: of those that think, only the first ones do.
pub(crate) fn takes_stop(model: &str) -> bool {
    !thinks(model) || model.starts_with("o1")
}

/// Whether it is a model of Mistral.
pub(super) fn is_of_mistral(model: &str) -> bool {
    let names =
        ["mistral", "ministral", "magistral", "codestral", "devstral", "mixtral", "pixtral", "voxtral"];
    let model = model.to_ascii_lowercase();
    names.iter().any(|it| model.contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_think_are_known_by_their_names() {
        for model in
            ["o1", "o3-mini", "o4-mini", "gpt-5", "gpt-5.1-codex-max", "gpt-6-sol", "codex-mini-latest"]
        {
            assert!(thinks(model), "{model}");
        }
        for model in ["gpt-4o", "gpt-4.1", "gpt-5-chat-latest", "chatgpt-4o-latest", "omni", "llama-3"] {
            assert!(!thinks(model), "{model}");
        }
    }

    #[test]
    fn models_that_think_are_not_told_how_to_draw_words() {
        for (model, effort) in
            [("gpt-4o", None), ("gpt-5-chat-latest", None), ("gpt-5.1", None), ("gpt-5.2", Some("none"))]
        {
            assert!(takes_sampling(model, effort), "{model}");
        }
        for (model, effort) in [
            ("o3", None),
            ("gpt-5-mini", None),
            ("gpt-5.1", Some("low")),
            ("gpt-5.1-codex", None),
            ("gpt-5.2-pro", None),
        ] {
            assert!(!takes_sampling(model, effort), "{model}");
        }
        assert!(takes_stop("gpt-4o") && takes_stop("o1") && !takes_stop("o3") && !takes_stop("gpt-5.1"));
    }
}
