//! Image models over a wire: what they send, and what becomes of what comes back.

use crate::server::{Answer, At, Request, Server, Then};
use agentscope_core::{
    ContentBlock, Context, Error, ErrorKind, ImageModel, ImageRequest, Images, Media, Usage,
};
use agentscope_model::{DashScopeImageModel, OpenAIImageModel};
use serde_json::json;
use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

async fn draw(model: &impl ImageModel, req: ImageRequest) -> Result<Images, Error> {
    model.generate(req, Context::new()).await
}

fn openai(server: &Server, model: &str) -> OpenAIImageModel {
    OpenAIImageModel::new(model).api_key("k").base_url(server.url())
}

fn dashscope(server: &Server, model: &str) -> DashScopeImageModel {
    let base = server.url().replace("/v1", "/api/v1");
    DashScopeImageModel::new(model).api_key("k").base_url(base).poll(Duration::from_millis(5))
}

fn only(server: &Server) -> Request {
    let mut requests = server.requests();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

// https://platform.openai.com/docs/api-reference/images/create
#[tokio::test]
async fn openai_draws_and_gives_the_bytes() {
    let server = Server::raw(Answer::json(
        200,
        &json!({"created": 1, "background": "opaque", "output_format": "webp", "quality": "low", "size": "1024x1536",
            "data": [{"b64_json": "YQ=="}, {"b64_json": "Yg=="}],
            "usage": {"total_tokens": 281, "input_tokens": 9, "output_tokens": 272, "input_tokens_details": {"text_tokens": 9, "image_tokens": 0}}}),
    ));
    let model = openai(&server, "gpt-image-2").body("quality", "low");
    let req = ImageRequest::new("a dot").count(2).size(1024, 1536).extra("output_format", "webp");
    let drawn = draw(&model, req).await.unwrap();
    assert_eq!(drawn.images, [Media::base64("image/webp", "YQ=="), Media::base64("image/webp", "Yg==")]);
    assert_eq!(drawn.usage, Usage::new(9, 272));
    let request = only(&server);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/images/generations"));
    assert_eq!(request.header("authorization"), Some("Bearer k"));
    assert_eq!(
        request.json(),
        json!({"model": "gpt-image-2", "prompt": "a dot", "n": 2, "size": "1024x1536", "quality": "low", "output_format": "webp"})
    );
    let msg = drawn.into_msg("painter");
    assert!(matches!(&msg.content[..], [ContentBlock::Image(_), ContentBlock::Image(_)]));
}

#[tokio::test]
async fn openai_may_give_an_address_and_say_what_it_drew() {
    let picture = json!({"url": "https://files.example/img?sig=1", "revised_prompt": "a round dot"});
    let server = Server::raw(Answer::json(200, &json!({"created": 1, "data": [picture]})));
    let drawn = draw(&openai(&server, "dall-e-3"), ImageRequest::new("a dot")).await.unwrap();
    assert_eq!(drawn.images[0].media_type(), "image/png");
    assert_eq!(drawn.images[0].extra.get("revised_prompt").unwrap(), "a round dot");
    let error = draw(&openai(&server, "dall-e-3"), ImageRequest::new("x").image("a.png")).await.unwrap_err();
    assert!(error.message().starts_with("`dall-e-3` draws from words only"), "{error}");
}

// https://platform.openai.com/docs/api-reference/images/createEdit
#[tokio::test]
async fn a_server_cannot_have_a_file_of_this_machine_taken_for_what_it_drew() {
    for path in ["/etc/passwd", "file:///etc/passwd", "../key.png"] {
        let server = Server::raw(Answer::json(200, &json!({"created": 1, "data": [{"url": path}]})));
        let error = draw(&openai(&server, "gpt-image-2"), ImageRequest::new("a dot")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{path}");
        assert!(error.message().contains("none of the web"), "{error}");
    }
}

#[tokio::test]
async fn openai_is_sent_pictures_as_a_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dot.png");
    std::fs::write(&path, "\u{1}png\r\nbytes").unwrap();
    let server = Server::raw(Answer::json(200, &json!({"created": 1, "data": [{"b64_json": "YQ=="}]})));
    let model = openai(&server, "gpt-image-2").body("input_fidelity", "high");
    let req = ImageRequest::new("bigger")
        .image(path.to_str().unwrap())
        .media(Media::base64("image/webp", "YWJj"))
        .mask(Media::base64("image/png", "bWFzaw=="));
    draw(&model, req).await.unwrap();
    let request = only(&server);
    assert_eq!(request.path, "/v1/images/edits");
    let kind = request.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let parts: Vec<_> =
        body.split(&format!("--{boundary}")).map(|it| it.trim_start_matches("\r\n")).collect();
    let part = |name: &str| {
        let start = format!("Content-Disposition: form-data; name=\"{name}\"");
        parts.iter().filter(|it| it.starts_with(&start)).map(|it| (*it).to_owned()).collect::<Vec<_>>()
    };
    for (name, value) in
        [("model", "gpt-image-2"), ("prompt", "bigger"), ("n", "1"), ("input_fidelity", "high")]
    {
        let found = part(name);
        assert!(found.len() == 1 && found[0].ends_with(&format!("\r\n\r\n{value}\r\n")), "{name}: {found:?}");
    }
    let images = part("image[]");
    assert_eq!(images.len(), 2);
    assert!(images[0].contains("filename=\"0.png\"\r\nContent-Type: image/png"), "{images:?}");
    assert!(images[0].ends_with("\r\n\r\n\u{1}png\r\nbytes\r\n"), "{images:?}");
    assert!(
        images[1].contains("Content-Type: image/webp") && images[1].ends_with("\r\n\r\nabc\r\n"),
        "{images:?}"
    );
    assert!(part("mask")[0].ends_with("\r\n\r\nmask\r\n"));
}

#[tokio::test]
async fn what_was_drawn_is_not_drawn_again() {
    let cut = Answer::json(200, &json!({"data": [{"b64_json": "YQ=="}]})).cut(At::End(3), Then::Close);
    let server = Server::raw(cut);
    let error = draw(&openai(&server, "gpt-image-2"), ImageRequest::new("a dot")).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::Unavailable, 1), "{error}");
    // What was not taken up is.
    let count = AtomicUsize::new(0);
    let server = Server::raw(move |_: &Request| match count.fetch_add(1, SeqCst) {
        0 => Answer::json(429, &json!({})).header("retry-after", "0.01"),
        _ => Answer::json(200, &json!({"data": [{"b64_json": "YQ=="}]})),
    });
    let edit = ImageRequest::new("a dot").media(Media::base64("image/png", "YQ=="));
    draw(&openai(&server, "gpt-image-2"), edit).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body.len(), requests[1].body.len(), "the form is written again");
}

#[tokio::test]
async fn what_is_no_picture_is_an_error() {
    for (answer, kind, words) in [
        (
            Answer::json(200, &json!({"data": []})),
            ErrorKind::Protocol,
            "answered for `gpt-image-2` with no picture",
        ),
        (Answer::json(200, &json!({"data": [{}]})), ErrorKind::Protocol, "with no picture"),
        (Answer::json(200, &json!({"created": 1})), ErrorKind::Protocol, "JSON that is no answer"),
        (
            Answer::json(
                400,
                &json!({"error": {"message": "rejected by the safety system", "code": "moderation_blocked"}}),
            ),
            ErrorKind::Refused,
            "held the request back: rejected by the safety system: word it otherwise",
        ),
    ] {
        let server = Server::raw(answer);
        let error = draw(&openai(&server, "gpt-image-2"), ImageRequest::new("a dot")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(words), "{error}");
    }
}

#[tokio::test]
async fn what_no_model_takes_is_refused_before_anything_is_sent() {
    let server = Server::raw(Answer::json(200, &json!({})));
    let model = openai(&server, "gpt-image-2");
    for (req, words) in [
        (ImageRequest::new(" "), "an image model has to be told what to draw: give a prompt"),
        (ImageRequest::new("a").count(0), "no picture was asked for: ask for at least one"),
        (
            ImageRequest::new("a").mask(Media::url("a.png")),
            "a mask says where a picture is to be changed: give the picture too",
        ),
    ] {
        let error = draw(&model, req).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidInput, words));
    }
    assert_eq!(server.count(), 0);
}

/// A task that is done when it was asked after `polls` times.
fn task(polls: usize, end: serde_json::Value) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    let count = AtomicUsize::new(0);
    move |request: &Request| {
        let status =
            |status: &str| json!({"output": {"task_id": "t-1", "task_status": status}, "request_id": "r"});
        match count.fetch_add(1, SeqCst) {
            0 => {
                assert_eq!(request.header("x-dashscope-async"), Some("enable"));
                Answer::json(200, &status("PENDING"))
            }
            at => {
                assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/api/v1/tasks/t-1"));
                assert_eq!(request.header("authorization"), Some("Bearer k"));
                Answer::json(200, &if at < polls { status("RUNNING") } else { json!({"output": end}) })
            }
        }
    }
}

// https://www.alibabacloud.com/help/en/model-studio/text-to-image-v2-api-reference
#[tokio::test]
async fn wan_takes_a_task_and_is_asked_after_it() {
    let end = json!({"task_id": "t-1", "task_status": "SUCCEEDED", "results": [
        {"url": "https://oss.example/1.png?Expires=1", "orig_prompt": "a dot", "actual_prompt": "a round dot"},
        {"code": "InternalError.Timeout", "message": "An internal timeout error has occurred"}]});
    let server = Server::raw(task(3, end));
    let req = ImageRequest::new("a dot").size(1280, 720).count(2);
    let drawn = draw(&dashscope(&server, "wan2.2-t2i-flash").body("watermark", false), req).await.unwrap();
    assert_eq!(drawn.images.len(), 1, "what was drawn is given");
    assert_eq!(drawn.images[0].extra.get("revised_prompt").unwrap(), "a round dot");
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[0].path, "/api/v1/services/aigc/text2image/image-synthesis");
    assert_eq!(
        requests[0].json(),
        json!({"model": "wan2.2-t2i-flash", "input": {"prompt": "a dot"},
            "parameters": {"size": "1280*720", "n": 2, "watermark": false}})
    );
}

#[tokio::test]
async fn a_task_that_fails_or_does_not_end_is_an_error() {
    let failed = json!({"task_status": "FAILED", "code": "DataInspectionFailed", "message": "inappropriate"});
    let server = Server::raw(task(1, failed));
    let error = draw(&dashscope(&server, "wanx2.1-t2i-turbo"), ImageRequest::new("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(
        error.message().ends_with("drew nothing: DataInspectionFailed inappropriate: word it otherwise"),
        "{error}"
    );

    let none =
        json!({"task_status": "SUCCEEDED", "results": [{"code": "InvalidParameter", "message": "size"}]});
    let server = Server::raw(task(1, none));
    let error = draw(&dashscope(&server, "wanx2.1-t2i-turbo"), ImageRequest::new("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");

    let server = Server::raw(task(usize::MAX, json!({})));
    let model = dashscope(&server, "wanx2.1-t2i-turbo").timeout(Duration::from_millis(100));
    let error = draw(&model, ImageRequest::new("x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("was still at work after 0 s (task t-1)"), "{error}");

    let odd = json!({"output": {"task_id": "../../keys", "task_status": "PENDING"}});
    let server = Server::raw(Answer::json(200, &odd));
    let error = draw(&dashscope(&server, "wanx2.1-t2i-turbo"), ImageRequest::new("x")).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::Protocol, 1), "{error}");
}

#[tokio::test]
async fn wan_is_sent_pictures() {
    let end = json!({"task_status": "SUCCEEDED", "results": [{"url": "https://oss.example/1"}]});
    let server = Server::raw(task(1, end));
    let req = ImageRequest::new("put it there")
        .image("https://example.org/a.png")
        .media(Media::base64("image/png", "YQ=="));
    let drawn = draw(&dashscope(&server, "wan2.5-i2i-preview"), req).await.unwrap();
    assert_eq!(drawn.images[0].media_type(), "image/png");
    let request = &server.requests()[0];
    assert_eq!(request.path, "/api/v1/services/aigc/image2image/image-synthesis");
    assert_eq!(
        request.json()["input"],
        json!({"prompt": "put it there", "images": ["https://example.org/a.png", "data:image/png;base64,YQ=="]})
    );
}

// https://www.alibabacloud.com/help/en/model-studio/qwen-image-api
#[tokio::test]
async fn qwen_draws_while_the_request_waits() {
    let server = Server::raw(Answer::json(
        200,
        &json!({"output": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": [{"image": "https://oss.example/1.png?x"}]}}],
            "task_metric": {"TOTAL": 1, "FAILED": 0, "SUCCEEDED": 1}}, "usage": {"width": 1328, "image_count": 1, "height": 1328}, "request_id": "r"}),
    ));
    let req = ImageRequest::new("a dot").size(1328, 1328).extra("prompt_extend", true);
    let drawn = draw(&dashscope(&server, "qwen-image-plus"), req).await.unwrap();
    assert_eq!(drawn.images, [Media::url("https://oss.example/1.png?x")]);
    let edit = ImageRequest::new("bigger").media(Media::base64("image/png", "YQ=="));
    draw(&dashscope(&server, "qwen-image-edit"), edit).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].path, "/api/v1/services/aigc/multimodal-generation/generation");
    assert_eq!(requests[0].header("x-dashscope-async"), None);
    assert_eq!(
        requests[0].json(),
        json!({"model": "qwen-image-plus", "input": {"messages": [{"role": "user", "content": [{"text": "a dot"}]}]},
            "parameters": {"size": "1328*1328", "n": 1, "prompt_extend": true}})
    );
    assert_eq!(
        requests[1].json()["input"]["messages"][0]["content"],
        json!([{"image": "data:image/png;base64,YQ=="}, {"text": "bigger"}])
    );
}
