//! The rules of a player of "guess 2/3 of the average", in the place of a language model.

use agentscope::{FINISH_TOOL, prelude::*};

/// How often a player of this education thinks "and if the others think so, too?".
const DEPTHS: [(&str, i32); 4] =
    [("primary school", 0), ("secondary school", 1), ("a bachelor's degree", 2), ("a doctorate", 3)];

/// A player that takes the last average that it was told, 50 at first, and 2/3 of that as often as its education lets it think;
/// a little more or less, as people do. It sees what a model would see: its own prompt and what it was told.
pub fn policy() -> impl ChatModel {
    model_fn(ModelCard::new("policy"), |req| async move {
        let number = guess(&req);
        let as_data = req.tools.iter().any(|tool| tool.name == FINISH_TOOL);
        Ok(vec![match as_data {
            true => ModelDelta::tool_call(0, "", FINISH_TOOL, format!("{{\"number\":{number:.1}}}")),
            false => ModelDelta::text(format!("I guess {number:.1}.")),
        }])
    })
}

fn guess(req: &ModelRequest) -> f64 {
    let prompt: String =
        req.messages.iter().filter(|msg| msg.role == Role::System).map(|msg| msg.text()).collect();
    let depth =
        DEPTHS.iter().find(|(education, _)| prompt.contains(education)).map_or(0, |(_, depth)| *depth);
    let told = req.messages.iter().rev().find_map(|msg| average(&msg.text()));
    let whim = whim(&prompt, req.messages.len());
    (told.unwrap_or(50.0) * (2.0_f64 / 3.0).powi(depth) * whim).clamp(0.0, 100.0)
}

/// The number of "the average was NUMBER".
fn average(text: &str) -> Option<f64> {
    let (_, after) = text.split_once("the average was ")?;
    after.split_whitespace().next()?.trim_end_matches([',', '.', ':']).parse().ok()
}

/// From 0.7 to 1.3, the same for the same player in the same round.
fn whim(prompt: &str, round: usize) -> f64 {
    let hash = prompt.bytes().chain(round.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    0.7 + 0.6 * (hash >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(education: &str, told: &[&str]) -> f64 {
        let prompt = Msg::system(format!("You are player 7 and went to {education}."));
        guess(&ModelRequest::new(std::iter::once(prompt).chain(told.iter().map(|told| Msg::user(*told)))))
    }

    #[test]
    fn who_knows_more_guesses_less_and_all_follow_the_last_average() {
        let first = ["Your guess?"];
        assert!(of("a doctorate", &first) < of("primary school", &first));
        let told = ["In round 1, the average was 30.00, so ..", "In round 2, the average was 9.00, so .."];
        let guess = of("primary school", &told);
        assert!((6.3..=11.7).contains(&guess), "{guess}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rules_keep_the_laws_of_models() {
        agentscope::testing::conformance::chat_model(|| std::sync::Arc::new(policy())).await;
    }
}
