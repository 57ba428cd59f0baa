//! Images that a provider does not read, and those that are called what they are not.

use agentscope_core::{
    ContentBlock, ErrorKind, Media, ModelRequest, Msg, Role, ToolCall, ToolResult, ToolState,
};
use agentscope_model::{AnthropicChatModel, GeminiChatModel, OpenAIChatModel, OpenAIResponseModel, Provider};

/// The first bytes of a JPEG, in base64.
const JPEG: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBD";

/// The first bytes of a HEIC.
const HEIC: &str = "AAAAJGZ0eXBoZWljAAAAAG1pZjFoZWlj";

/// What each format writes: Anthropic's, the Responses API's, Gemini's, that of OpenAI's chat and that of any other server.
async fn bodies(req: &ModelRequest) -> [String; 5] {
    let sees = ["image/*"];
    let bodies = [
        AnthropicChatModel::new("m").input_types(sees).request_body(req).await,
        OpenAIResponseModel::new("m").input_types(sees).request_body(req).await,
        GeminiChatModel::new("gemini-3-pro").input_types(sees).request_body(req).await,
        OpenAIChatModel::new("m").input_types(sees).request_body(req).await,
        OpenAIChatModel::of(Provider::Other, "m").input_types(sees).request_body(req).await,
    ];
    bodies.map(|body| String::from_utf8(body.unwrap()).unwrap())
}

/// The same image, shown by a user and by a tool.
fn shown(media: &Media) -> [ModelRequest; 2] {
    let image = || ContentBlock::Image(media.clone());
    let reply = Msg::new(
        "Friday",
        Role::Assistant,
        vec![
            ToolCall::new("c1", "look", "{}").into(),
            ToolResult::new("c1", "look", ToolState::Success, vec![image()]).into(),
        ],
    );
    [
        ModelRequest::new([Msg::new("user", Role::User, vec![image()])]),
        ModelRequest::new([Msg::user("hi"), reply]),
    ]
}

#[tokio::test]
async fn an_image_that_a_provider_does_not_read_is_told_in_words() {
    for (media, read_by) in [
        (Media::base64("image/png", "AAAA"), [true; 5]),
        (Media::base64("image/svg+xml", "PHN2Zz48L3N2Zz4="), [false; 5]),
        (Media::base64("image/heic", HEIC), [false, false, true, false, true]),
        (Media::base64("image/png", HEIC), [false, false, true, false, true]),
        (Media::base64("image/gif", "R0lGODdhAQABAIEAAP//"), [true, true, false, true, true]),
        (Media::base64("image/bmp", "AAAA"), [false, false, false, false, true]),
        (Media::url("data:image/svg+xml,%3Csvg/%3E"), [false; 5]),
        (Media::base64("image/svg+xml", JPEG), [true; 5]),
    ] {
        for req in shown(&media) {
            for (at, body) in bodies(&req).await.iter().enumerate() {
                let told = body.contains("that cannot be shown to this model");
                assert_eq!(told, !read_by[at], "{at}: {media:?}: {body}");
                assert!(!(told && body.contains("shown below")), "{at}: {media:?}: {body}");
            }
        }
    }
    let svg = Msg::user("look").with(Media::url("https://example.com/a.svg"));
    let body = AnthropicChatModel::new("m").request_body(&ModelRequest::new([svg])).await.unwrap();
    let body = String::from_utf8(body).unwrap();
    assert!(body.contains("cannot be shown to this model: https://example.com/a.svg"), "{body}");
}

#[tokio::test]
async fn an_image_is_called_what_its_first_bytes_are() {
    for media in [
        Media::base64("image/png", JPEG),
        Media::url(format!("data:image/png;base64,{JPEG}")),
        Media::base64("image/jpg", "AAAA"),
    ] {
        for req in shown(&media) {
            for body in bodies(&req).await {
                assert!(body.contains("image/jpeg"), "{media:?}: {body}");
                assert!(!body.contains("image/png") && !body.contains("image/jpg"), "{media:?}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn an_image_that_is_larger_than_claude_takes_is_refused_by_name_and_told_once_it_was_answered() {
    let claude = AnthropicChatModel::new("m");
    let sized = |length: usize| {
        let mut media = Media::base64("image/jpeg", format!("{JPEG}{}", "A".repeat(length - JPEG.len())));
        media.name = Some("big.jpg".into());
        media
    };
    let limit = 5 << 20;
    let asked = |media: Media| Msg::user("look").with(media);
    claude.request_body(&ModelRequest::new([asked(sized(limit))])).await.unwrap();
    let large = ModelRequest::new([asked(sized(limit + 4))]);
    let error = claude.request_body(&large).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.message(),
        "the image `big.jpg` of a message has 5242884 bytes in base64, and the provider takes no more than 5242880: give one \
         of at most 3932160 bytes"
    );
    OpenAIResponseModel::new("m").request_body(&large).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.jpg");
    std::fs::write(&path, [b"\xff\xd8\xff".as_slice(), &vec![0; 4 << 20]].concat()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    let file = ModelRequest::new([Msg::user("look").url(&path)]);
    let error = claude.request_body(&file).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().starts_with(&format!("the image `{path}` of a message has")), "{error}");

    for mut req in [large, file] {
        req.messages.push(Msg::assistant("Friday", "I see.").into());
        req.messages.push(Msg::user("And now?").into());
        let body = String::from_utf8(claude.request_body(&req).await.unwrap()).unwrap();
        assert!(body.contains("[an image that cannot be shown to this model: "), "{body}");
        assert!(body.len() < 2000);
    }
}
