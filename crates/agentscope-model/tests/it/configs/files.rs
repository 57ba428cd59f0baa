//! Files of configurations, and those of the reference.

use super::{least, refused};
use agentscope_core::ErrorKind;
use agentscope_model::{Configs, from_spec};
use serde_json::{Value, json};
use std::fs;

const FIXTURE: &str = include_str!("../../fixtures/agentscope-0.x-model-configs.json");

/// The two templates of the README of 0.0.1, with what has to be chosen chosen, and nothing else changed.
const README: [&str; 2] = [
    r#"{
    "config_name": "{配置名称}",                 # 用于识别配置的名称
    "model_type": "openai",
    "model_name": "{模型名称，例如gpt-4}",        # openai API中的模型
    # 可选
    "api_key": "xxx",                           # OpenAI API的API密钥。如果未设置，将使用环境变量OPENAI_API_KEY。
    "organization": "xxx",                      # OpenAI API的组织。如果未设置，将使用环境变量OPENAI_ORGANIZATION。
}
"#,
    r#"{
    "config_name": "{配置名称}",       # 用于识别配置的名称
    "model_type": "post_api",
    "api_url": "https://xxx",         # 目标url
    "headers": {                      # 需要的头信息
    },
}
"#,
];

#[test]
fn the_templates_of_the_first_readme_load_as_written() {
    for model_type in ["openai", "openai_dall_e", "openai_embedding"] {
        let configs =
            Configs::from_json(&README[0].replace("\"openai\"", &format!("\"{model_type}\""))).unwrap();
        let config = configs.config("{配置名称}").unwrap();
        assert_eq!(
            (config.model_name.as_str(), config.organization.as_deref()),
            ("{模型名称，例如gpt-4}", Some("xxx"))
        );
    }
    assert_eq!(
        Configs::from_json(README[0]).unwrap().chat("{配置名称}").unwrap().card().name,
        "{模型名称，例如gpt-4}"
    );
    let post = Configs::from_json(README[1]).unwrap();
    assert_eq!(post.config("{配置名称}").unwrap().base_url.as_deref(), Some("https://xxx"));
}

#[test]
fn the_configurations_of_the_repository_of_agentscope_load() {
    let entries: Vec<Value> = serde_json::from_str(FIXTURE).unwrap();
    let mut refused = Vec::new();
    for entry in &entries {
        let error = Configs::from_value(entry.clone()).err();
        let message =
            error.map(|it| it.message().replacen("the model configurations, ", "", 1)).unwrap_or_default();
        refused.extend(message.lines().filter(|it| !it.ends_with(" faults")).map(|it| it.trim().to_owned()));
    }
    refused.sort();
    refused.dedup();
    // These do not work with 0.x either: it has no such type, ignores the field, or hands on what nobody can use.
    let number = "must be a whole number, and is a text: write it without quotation marks";
    assert_eq!(
        refused,
        [
            "entry `async_qwen_config`: `model_type` `async_dashscope_chat` is none that there is: do you mean `dashscope_chat`?",
            "entry `gpt-3.5-turbo`: `api_url` is no address (relative URL without a base): give one such as https://host:8000/path",
            "entry `gpt-3.5-turbo`: `model_type` `openai-chat` is none that there is: do you mean `openai_chat`?",
            "entry `gpt-4-turbo`: `api_url` is no address (relative URL without a base): give one such as https://host:8000/path",
            "entry `gpt-4`: `model_type` `openai-chat` is none that there is: do you mean `openai_chat`?",
            &format!("entry `my_ollama_chat_config`: `seed` of `options` {number}"),
            &format!("entry `my_ollama_embedding_config`: `seed` of `options` {number}"),
            &format!("entry `my_ollama_generate_config`: `seed` of `options` {number}"),
            "entry `post_api_embedding_config`: `api_url` is no address (invalid port number): give one such as https://host:8000/path",
            "entry `post_api_img_syn_config`: `api_url` is no address (invalid port number): give one such as https://host:8000/path",
            &format!("entry `qwen`: `seed` {number}"),
            "entry `qwen`: `temperature` must be a number from 0 to 2, and is a text: write it without quotation marks",
        ]
    );
    assert!(entries.len() > 80);
}

fn write(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn a_file_has_one_object_or_a_list_in_any_shape_of_text() {
    let one = least("openai_chat").to_string();
    let pretty = serde_json::to_string_pretty(&json!([least("openai_chat")])).unwrap();
    for text in [
        one.clone(),
        format!("[{one}]"),
        format!("\u{feff}{one}"),
        pretty.replace('\n', "\r\n"),
        format!("[{one},]\n# end"),
    ] {
        let (_folder, path) = write("model_configs.json", &text);
        assert_eq!(Configs::load(&path).unwrap().names().collect::<Vec<_>>(), ["my_config"], "{text}");
    }
    let (_folder, path) = write("none.json", "[]");
    assert!(Configs::load(path).unwrap().is_empty());
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let (folder, path) = write("a.json", "");
    let told = |path: &std::path::Path| {
        let error = Configs::load(path).unwrap_err();
        (error.kind(), error.message().to_owned())
    };
    let (kind, message) = told(&path);
    assert!(
        kind == ErrorKind::InvalidInput && message.contains("a.json`: it is empty: write a configuration"),
        "{message}"
    );
    let (kind, message) = told(folder.path());
    assert!(message.ends_with("`: it is a folder: name a file in it"), "{message}");
    assert_ne!(kind, ErrorKind::NotFound);
    let (kind, message) = told(&folder.path().join("b.json"));
    assert!(
        kind == ErrorKind::NotFound && message.contains("b.json`: there is no such file (looked for from /"),
        "{message}"
    );
    for (bytes, part) in [
        (&b"\xff\xfe[\0]\0"[..], "it is UTF-16: save it as UTF-8"),
        (b"{\n\n\"a\": \"\xe9\"}", "line 3 is not UTF-8: save it as UTF-8"),
        (
            b"{\"config_name\": 'a'}",
            "line 1, column 17 is no JSON (expected value): write texts in double quotation marks",
        ),
        (b"3", "configurations are an object or a list of objects, and this is a number"),
        (b"null", "and this is null"),
        (b"[3]", "entry 1 must be an object, and is a number"),
        (
            b"{\"config_name\": \"a\", \"model_type\": \"openai\", \"budget\": -1}",
            "entry `a`: `budget` must be a number from 0, and is -1",
        ),
        (
            b"[{\"config_name\": \"a\", \"model_type\": \"openai\", \"budget\": 1e999}]",
            "line 1, column 61 is no JSON (number out of range)",
        ),
    ] {
        fs::write(&path, bytes).unwrap();
        let (kind, message) = told(&path);
        assert_eq!(kind, ErrorKind::InvalidInput);
        assert!(
            message.starts_with('`') && message.contains("a.json`") && message.contains(part),
            "{part}\n{message}"
        );
    }
    fs::write(&path, " ".repeat((16 << 20) + 1)).unwrap();
    assert!(told(&path).1.ends_with("it has more than 16 MiB: name a file of configurations"));
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = write("a.json", "[]");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser may read it all the same.
    if fs::read(&path).is_err() {
        let error = Configs::load(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(
            error.message().ends_with("a.json`: it may not be read: give this user the right to"),
            "{error}"
        );
    }
}

#[test]
fn two_of_one_name_are_told_with_both_places() {
    let text = json!([least("openai_chat"), least("post_api")]).to_string();
    let (_folder, path) = write("a.json", &text);
    let path = path.display();
    assert_eq!(
        Configs::load(path.to_string()).unwrap_err().message(),
        format!(
            "`{path}`, entry 2 (`my_config`): its `config_name` is that of entry 1 already: rename one of them"
        )
    );
    assert!(
        refused(serde_json::from_str(&text).unwrap())
            .starts_with("the model configurations, entry 2 (`my_config`): its")
    );
    let (_folder, other) = write("b.json", least("yi_chat").to_string());
    let one = Configs::load(&other).unwrap();
    let error = one.clone().merge(Configs::load(&other).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(
        error.message().contains("b.json`, entry `my_config`: its `config_name` is that of `"),
        "{error}"
    );
    let error = one.add(least("openai_chat")).unwrap_err();
    assert!(
        error
            .message()
            .starts_with("the model configurations, entry `my_config`: its `config_name` is that of"),
        "{error}"
    );
    let two =
        Configs::new().add(least("openai")).unwrap().merge(Configs::from_json(README[1]).unwrap()).unwrap();
    assert_eq!((two.len(), two.names().len()), (2, 2));
}

#[test]
fn a_spec_names_a_file_and_a_configuration_in_it() {
    let mut entry = least("openai_chat");
    entry["base_url"] = json!("http://localhost:8000/v1");
    let (_folder, path) = write("configs.json", entry.to_string());
    let spec = format!("config:{}#my_config", path.display());
    let model = from_spec(&spec).unwrap();
    assert_eq!((model.card().name.as_str(), &model.card().spec), ("a-model", &spec));
    let error = from_spec(&format!("config:{}#my_confg", path.display())).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("(do you mean `my_config`?)"), "{error}");
    let error = from_spec("config:my_config").err().unwrap();
    assert_eq!(
        error.message(),
        "no file of configurations is named: set AGENTSCOPE_MODEL_CONFIGS to the path of one, or write `config:PATH#NAME`"
    );
}

/// Runs itself again with the variable set, because a process cannot change its own while others read it.
#[test]
fn a_variable_names_the_file_of_a_spec() {
    const CHILD: &str = "AGENTSCOPE_TEST_CONFIGS_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let model = from_spec("config:my_config").unwrap();
        assert_eq!((model.card().name.as_str(), model.card().spec.as_str()), ("a-model", "config:my_config"));
        assert_eq!(Configs::from_env().unwrap().len(), 1);
        let error = from_spec("config:other").err().unwrap();
        assert_eq!(error.message(), "no configuration is named `other`: there is `my_config`");
        return;
    }
    let run = |path: &std::path::Path| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "configs::files::a_variable_names_the_file_of_a_spec"]);
        child
            .env(CHILD, "1")
            .env("AGENTSCOPE_MODEL_CONFIGS", path)
            .env("DEEPSEEK_API_KEY", "k")
            .output()
            .unwrap()
    };
    let (folder, path) = write("a.json", json!([least("deepseek")]).to_string());
    let output = run(&path);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let output = run(&folder.path().join("none.json"));
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(told.contains("AGENTSCOPE_MODEL_CONFIGS: `") && told.contains("there is no such file"), "{told}");
}
