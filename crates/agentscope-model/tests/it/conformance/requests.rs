//! What is in a request beside the conversation: options, further fields, keys and headers.

use super::stage::each;
use crate::server::Answer;
use agentscope_core::{ModelRequest, Msg};
use serde_json::{Value, json};

fn hi() -> ModelRequest {
    ModelRequest::new([Msg::user("hi")])
}

#[tokio::test]
async fn options_arrive_where_the_provider_has_them() {
    each(
        |_| Answer::text("well"),
        async |case| {
            let mut req = hi();
            let options = &mut req.options;
            (options.max_tokens, options.temperature, options.top_p) = (Some(3000), Some(0.5), Some(0.9));
            (options.stop, options.seed) = (vec!["END".to_owned()], Some(42));
            case.ask(req).await.unwrap_or_else(|error| panic!("{case}: {error}"));
            let request = case.last();
            let (body, text) = (request.json(), String::from_utf8(request.body.to_vec()).unwrap());
            let values = [json!(3000), json!(0.5), json!(0.9), json!(["END"]), json!(42)];
            for (place, value) in case.row.options.into_iter().zip(values) {
                match place {
                    Ok(place) => assert_eq!(body.pointer(place), Some(&value), "{case}, {place}: {text}"),
                    Err(why) => assert!(!text.contains(&value.to_string()), "{case}, {why}: {text}"),
                }
            }
            case.ask(hi()).await.unwrap();
            let bare = case.last().json();
            let left = case.row.options.into_iter().flatten().filter(|place| *place != "/max_tokens");
            for place in left {
                assert_eq!(bare.pointer(place), None, "{case}: what nobody set is left to the provider");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_further_field_arrives_and_null_takes_one_out() {
    each(
        |_| Answer::text("well"),
        async |case| {
            let (name, value, place) = case.row.field;
            let value: Value = serde_json::from_str(value).unwrap();
            for (of_the_model, of_the_request) in
                [(Some(&value), None), (None, Some(&value)), (Some(&Value::Null), Some(&value))]
            {
                let model = case.model_with(|set| {
                    set.fields.extend(of_the_model.map(|value| (name.to_owned(), value.clone())))
                });
                let mut req = hi();
                req.options.extra.extend(of_the_request.map(|value| (name.to_owned(), value.clone())));
                crate::said::ask(&model, req).await.unwrap_or_else(|error| panic!("{case}: {error}"));
                assert_eq!(case.last().json().pointer(place), Some(&value), "{case}");
            }
            let model = case.model_with(|set| set.fields.push((name.to_owned(), value.clone())));
            let mut req = hi();
            req.options.extra.insert(name.to_owned(), Value::Null);
            crate::said::ask(&model, req).await.unwrap();
            assert_eq!(case.last().json().pointer(place), None, "{case}");
        },
    )
    .await;
}

#[tokio::test]
async fn the_key_is_in_its_header_and_nowhere_else() {
    each(
        |_| Answer::text("well"),
        async |case| {
            case.ask(hi()).await.unwrap();
            let request = case.last();
            let wanted = match case.row.key {
                "authorization" => format!("Bearer {}", case.key()),
                _ => case.key(),
            };
            let with_key: Vec<_> =
                request.headers.iter().filter(|(_, value)| value.contains(&case.key())).cloned().collect();
            assert_eq!(with_key, [(case.row.key.to_owned(), wanted)], "{case}");
            let body = String::from_utf8(request.body.to_vec()).unwrap();
            assert!(
                !request.path.contains("key-of") && !body.contains("key-of"),
                "{case}: {} {body}",
                request.path
            );
            // The header of each case is one that is set beside the key.
            assert_eq!(request.header("x-case"), Some(case.to_string().as_str()));
        },
    )
    .await;
}

#[tokio::test]
async fn a_key_is_in_no_error() {
    let told = |request: &crate::server::Request| {
        let message = format!("you sent {:?}", request.headers);
        Answer::json(400, &json!({"error": {"message": message, "code": "odd"}, "message": message}))
    };
    each(told, async |case| {
        let error = case.ask(hi()).await.unwrap_err();
        assert!(!format!("{error:?} {error}").contains("key-of"), "{case}: {error:?}");
    })
    .await;
}
