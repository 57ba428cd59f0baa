//! Pictures, sounds, films and files: in a message, on this machine, on the web, in a tool's result.

use super::{
    cells::{Row, Shown},
    stage::each,
};
use crate::server::{Answer, Bit, Chat, Heard};
use agentscope_core::{ContentBlock, ErrorKind, Media, ModelRequest, Msg, ToolCall, ToolResult, ToolState};

const PNG: &str = "iVBORw0KGgo=";
const UNSEEN: &str = "cannot be shown to this model";

fn seen() -> Answer {
    Chat::new().seen().into()
}

fn look(block: ContentBlock) -> ModelRequest {
    ModelRequest::new([Msg::user("look").with(block)])
}

fn media(heard: &Heard) -> Vec<(&str, &str)> {
    let turns = heard.turns.iter();
    turns.flat_map(|turn| turn.media().map(|media| (turn.role.as_str(), media))).collect()
}

/// The kinds of a row, in the order of its column: what is shown, and how the server names it.
fn kinds() -> [(&'static str, ContentBlock); 5] {
    let of = |kind: &str| Media::base64(kind, PNG);
    [
        ("image/png, 8 bytes", ContentBlock::Image(of("image/png"))),
        ("image https://example.org/b.png", ContentBlock::Image(Media::url("https://example.org/b.png"))),
        ("audio/wav, 8 bytes", ContentBlock::Audio(of("audio/wav"))),
        ("video/mp4, 8 bytes", ContentBlock::Video(of("video/mp4"))),
        ("application/pdf, 8 bytes", ContentBlock::File(of("application/pdf"))),
    ]
}

#[tokio::test]
async fn what_a_provider_takes_is_sent_and_of_the_rest_the_model_is_told() {
    each(
        |_| seen(),
        async |case| {
            for (shown, (name, block)) in case.row.media.into_iter().zip(kinds()) {
                if let Shown::Fetched = shown {
                    continue; // see below: no request of a test goes to the web
                }
                let said =
                    case.ask(look(block)).await.unwrap_or_else(|error| panic!("{case}, {name}: {error}"));
                let heard = case.last().heard();
                let words: String = heard.turns.iter().map(|turn| turn.text()).collect();
                match shown {
                    Shown::InWords(_) => {
                        assert!(
                            said.text == "I see nothing" && words.contains(UNSEEN),
                            "{case}, {name}: {heard:?}"
                        );
                    }
                    _ => assert_eq!(said.text, format!("I see {name}"), "{case}: {words}"),
                }
            }
        },
    )
    .await;
}

#[tokio::test]
async fn what_has_to_be_fetched_is_fetched_from_public_addresses_only() {
    each(
        |_| seen(),
        async |case| {
            let req = look(ContentBlock::Image(Media::url("http://127.0.0.1:9/b.png")));
            let answer = case.ask(req).await;
            match (case.row.media[1], answer) {
                (Shown::Fetched, Err(error)) => {
                    assert_eq!(
                        (error.kind(), case.requests().len()),
                        (ErrorKind::Refused, 0),
                        "{case}: {error}"
                    );
                }
                (Shown::Sent, Ok(said)) => {
                    assert_eq!(said.text, "I see image http://127.0.0.1:9/b.png", "{case}")
                }
                (Shown::InWords(_), Ok(said)) => assert_eq!(said.text, "I see nothing", "{case}"),
                (row, answer) => panic!("{case}, {row:?}: {answer:?}"),
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_file_of_this_machine_is_put_into_the_request() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.png");
    std::fs::write(&path, b"\x89PNG\r\n\x1a\n").unwrap();
    let path = path.to_str().unwrap();
    each(
        |_| seen(),
        async |case| {
            let said = case.ask(ModelRequest::new([Msg::user("look").url(path)])).await.unwrap();
            let wanted = match case.row.media[0] {
                Shown::InWords(_) => "I see nothing",
                _ => "I see image/png, 8 bytes",
            };
            assert_eq!(said.text, wanted, "{case}");
        },
    )
    .await;
}

#[tokio::test]
async fn an_image_of_a_tools_result_is_shown_where_the_model_sees() {
    each(
        |_| Answer::text("well"),
        async |case| {
            let result = |id: &str| {
                let output = vec!["a picture".into(), ContentBlock::Image(Media::base64("image/png", PNG))];
                ToolResult::new(id, "camera", ToolState::Success, output)
            };
            let call = |id: &str| ToolCall::new(id, "camera", "{}");
            let msg = Msg::assistant("Friday", "")
                .with(call("c1"))
                .with(call("c2"))
                .with(result("c1"))
                .with(result("c2"));
            let mut req = ModelRequest::new([Msg::user("look"), msg]);
            req.speaker = "Friday".into();
            case.ask(req).await.unwrap_or_else(|error| panic!("{case}: {error}"));
            let heard = case.last().heard();
            let Row { results, .. } = case.row;
            let results_in_words =
                heard.turns.iter().flat_map(|turn| &turn.parts).filter_map(|bit| match bit {
                    Bit::Result { text, .. } => Some(text.as_str()),
                    _ => None,
                });
            let told = results_in_words.filter(|text| text.contains(UNSEEN)).count();
            match results {
                Shown::InWords(_) => assert_eq!((media(&heard).len(), told), (0, 2), "{case}: {heard:?}"),
                _ => assert_eq!((media(&heard).len(), told), (2, 0), "{case}: {heard:?}"),
            }
        },
    )
    .await;
}
