//! Who is spoken to, what for, and what a `model_type` means of it.

use crate::nearest::nearest;
use std::fmt;

/// Whose API a configured model speaks.
///
/// ```
/// use agentscope_model::{Api, Configs};
///
/// let configs = Configs::from_json(r#"{"config_name": "a", "model_type": "tongyi_chat", "model_name": "qwen-max"}"#)?;
/// assert_eq!(configs.config("a")?.api, Api::DashScope);
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Api {
    /// OpenAI's, which most servers speak.
    OpenAi,
    /// OpenAI's newer one, with responses.
    Responses,
    /// OpenAI's models at Azure.
    Azure,
    /// DashScope's by the API of OpenAI.
    DashScope,
    /// DashScope's own.
    DashScopeNative,
    /// Anthropic's.
    Anthropic,
    /// Google's for Gemini.
    Gemini,
    /// Ollama's own, chat.
    Ollama,
    /// Ollama's own, the continuation of one text: a chat in which all that was said is told as one text.
    OllamaGenerate,
    /// DeepSeek's.
    DeepSeek,
    /// Moonshot's.
    Moonshot,
    /// xAI's.
    Xai,
    /// vLLM's.
    Vllm,
    /// FastChat's.
    FastChat,
    /// Hugging Face's.
    HuggingFace,
    /// ModelScope's.
    ModelScope,
    /// Zhipu AI's.
    ZhipuAi,
    /// Yi's, of 01.AI.
    Yi,
    /// Any address that takes JSON and gives JSON.
    PostApi,
}

/// What a configured model is for.
///
/// ```
/// assert_eq!(agentscope_model::Purpose::Chat.to_string(), "chat");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Answers a conversation.
    Chat,
    /// Turns texts into vectors.
    Embedding,
    /// Makes images.
    Image,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chat => "chat",
            Self::Embedding => "embedding",
            Self::Image => "image",
        })
    }
}

/// Which fields an entry may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A key, an address, arguments of the client and of the generation.
    Service,
    /// As a service; its `model_name` says whose it is.
    LiteLlm,
    Ollama,
    PostApi,
}

/// A `model_type`.
#[derive(Debug)]
pub(super) struct Kind {
    /// As it is written, the name of today first.
    pub(super) names: &'static [&'static str],
    pub(super) api: Api,
    pub(super) purpose: Purpose,
    pub(super) shape: Shape,
    /// Without a `model_name`, the `config_name` is taken for it, as 0.x does.
    pub(super) may_be_unnamed: bool,
}

const fn kind(
    names: &'static [&'static str],
    api: Api,
    purpose: Purpose,
    shape: Shape,
    unnamed: bool,
) -> Kind {
    Kind { names, api, purpose, shape, may_be_unnamed: unnamed }
}

use {
    Purpose::{Chat, Embedding, Image},
    Shape::{LiteLlm, Ollama, PostApi, Service},
};

/// All that there are: those of 0.x with their names of all versions, then the providers of specs.
pub(super) static KINDS: [Kind; 36] = [
    kind(&["openai_chat", "openai"], Api::OpenAi, Chat, Service, true),
    kind(&["openai_dall_e"], Api::OpenAi, Image, Service, true),
    kind(&["openai_embedding"], Api::OpenAi, Embedding, Service, true),
    kind(&["post_api_chat", "post_api"], Api::PostApi, Chat, PostApi, true),
    kind(&["post_api_dall_e", "post_api_dalle"], Api::PostApi, Image, PostApi, true),
    kind(&["post_api_embedding"], Api::PostApi, Embedding, PostApi, true),
    kind(&["dashscope_chat", "tongyi_chat"], Api::DashScope, Chat, Service, true),
    kind(&["dashscope_multimodal"], Api::DashScope, Chat, Service, true),
    kind(&["dashscope_image_synthesis"], Api::DashScopeNative, Image, Service, true),
    kind(&["dashscope_text_embedding"], Api::DashScope, Embedding, Service, true),
    kind(&["gemini_chat"], Api::Gemini, Chat, Service, false),
    kind(&["gemini_embedding"], Api::Gemini, Embedding, Service, false),
    kind(&["ollama_chat"], Api::Ollama, Chat, Ollama, false),
    kind(&["ollama_embedding"], Api::Ollama, Embedding, Ollama, false),
    kind(&["ollama_generate"], Api::OllamaGenerate, Chat, Ollama, false),
    kind(&["zhipuai_chat"], Api::ZhipuAi, Chat, Service, true),
    kind(&["zhipuai_embedding"], Api::ZhipuAi, Embedding, Service, true),
    kind(&["litellm_chat"], Api::OpenAi, Chat, LiteLlm, true),
    kind(&["yi_chat"], Api::Yi, Chat, Service, false),
    kind(&["anthropic_chat"], Api::Anthropic, Chat, Service, false),
    kind(&["responses"], Api::Responses, Chat, Service, false),
    kind(&["azure"], Api::Azure, Chat, Service, false),
    kind(&["dashscope"], Api::DashScope, Chat, Service, false),
    kind(&["dashscope-native"], Api::DashScopeNative, Chat, Service, false),
    kind(&["anthropic"], Api::Anthropic, Chat, Service, false),
    kind(&["gemini"], Api::Gemini, Chat, Service, false),
    kind(&["ollama"], Api::Ollama, Chat, Ollama, false),
    kind(&["deepseek"], Api::DeepSeek, Chat, Service, false),
    kind(&["moonshot"], Api::Moonshot, Chat, Service, false),
    kind(&["xai"], Api::Xai, Chat, Service, false),
    kind(&["vllm"], Api::Vllm, Chat, Service, false),
    kind(&["fastchat"], Api::FastChat, Chat, Service, false),
    kind(&["huggingface"], Api::HuggingFace, Chat, Service, false),
    kind(&["modelscope"], Api::ModelScope, Chat, Service, false),
    kind(&["zhipuai"], Api::ZhipuAi, Chat, Service, false),
    kind(&["yi"], Api::Yi, Chat, Service, false),
];

impl Kind {
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|it| it.names.contains(&name))
    }

    pub(super) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    fn all_names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().flat_map(|it| it.names.iter().copied())
    }

    /// What to write instead of a `model_type` that there is not.
    pub(super) fn advice(name: &str) -> String {
        let is_within = |known: &&str| known.contains('_') && name.to_lowercase().contains(*known);
        let nearest = nearest(name, Self::all_names()).or_else(|| Self::all_names().find(is_within));
        match nearest {
            Some(nearest) => format!("do you mean `{nearest}`?"),
            None => format!("there are {}", Self::all_names().collect::<Vec<_>>().join(", ")),
        }
    }
}

/// How a provider is reached where the entry does not say.
pub(super) struct Access {
    /// As it stands before the colon of a spec.
    pub(super) name: &'static str,
    /// What a key is found in, the first that is set.
    pub(super) keys: &'static [&'static str],
    pub(super) needs_key: bool,
    /// What another address is found in.
    pub(super) base_url_variable: &'static str,
    /// The hosts that are the provider's own, to which a key of the environment may go.
    pub(super) hosts: &'static [&'static str],
}

impl Api {
    pub(super) fn access(self) -> Access {
        let of = |name, keys, needs_key, base_url_variable, hosts| Access {
            name,
            keys,
            needs_key,
            base_url_variable,
            hosts,
        };
        const OPENAI: &[&str] = &["api.openai.com", "eu.api.openai.com", "us.api.openai.com"];
        const DASHSCOPE: &[&str] =
            &["dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"];
        match self {
            Self::OpenAi => of("openai", &["OPENAI_API_KEY"], true, "OPENAI_BASE_URL", OPENAI),
            Self::Responses => of("responses", &["OPENAI_API_KEY"], true, "OPENAI_BASE_URL", OPENAI),
            Self::Azure => {
                of("azure", &["AZURE_OPENAI_API_KEY", "AZURE_API_KEY"], true, "AZURE_OPENAI_ENDPOINT", &[])
            }
            Self::DashScope => of("dashscope", &["DASHSCOPE_API_KEY"], true, "DASHSCOPE_BASE_URL", DASHSCOPE),
            Self::DashScopeNative => {
                of("dashscope-native", &["DASHSCOPE_API_KEY"], true, "DASHSCOPE_HTTP_BASE_URL", DASHSCOPE)
            }
            Self::Anthropic => {
                of("anthropic", &["ANTHROPIC_API_KEY"], true, "ANTHROPIC_BASE_URL", &["api.anthropic.com"])
            }
            Self::Gemini => {
                let hosts = &["generativelanguage.googleapis.com"];
                of("gemini", &["GEMINI_API_KEY", "GOOGLE_API_KEY"], true, "GEMINI_BASE_URL", hosts)
            }
            Self::Ollama | Self::OllamaGenerate => {
                of("ollama", &["OLLAMA_API_KEY"], false, "OLLAMA_BASE_URL", &["ollama.com"])
            }
            Self::DeepSeek => {
                of("deepseek", &["DEEPSEEK_API_KEY"], true, "DEEPSEEK_BASE_URL", &["api.deepseek.com"])
            }
            Self::Moonshot => {
                let hosts = &["api.moonshot.cn", "api.moonshot.ai"];
                of("moonshot", &["MOONSHOT_API_KEY"], true, "MOONSHOT_BASE_URL", hosts)
            }
            Self::Xai => of("xai", &["XAI_API_KEY"], true, "XAI_BASE_URL", &["api.x.ai"]),
            Self::Vllm => of("vllm", &["VLLM_API_KEY"], false, "VLLM_BASE_URL", &[]),
            Self::FastChat => of("fastchat", &["FASTCHAT_API_KEY"], false, "FASTCHAT_BASE_URL", &[]),
            Self::HuggingFace => of(
                "huggingface",
                &["HF_TOKEN", "HUGGINGFACE_API_KEY"],
                true,
                "HF_BASE_URL",
                &["router.huggingface.co"],
            ),
            Self::ModelScope => {
                let hosts = &["api-inference.modelscope.cn"];
                of(
                    "modelscope",
                    &["MODELSCOPE_API_KEY", "MODELSCOPE_SDK_TOKEN"],
                    true,
                    "MODELSCOPE_BASE_URL",
                    hosts,
                )
            }
            Self::ZhipuAi => {
                let keys = &["ZHIPUAI_API_KEY", "ZAI_API_KEY"];
                of("zhipuai", keys, true, "ZHIPUAI_BASE_URL", &["open.bigmodel.cn", "api.z.ai"])
            }
            Self::Yi => of("yi", &["YI_API_KEY"], true, "YI_BASE_URL", &["api.lingyiwanwu.com"]),
            Self::PostApi => of("post_api", &[], false, "", &[]),
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.access().name)
    }
}

/// Whose model a name of LiteLLM is: `PROVIDER/MODEL`, or a name that begins as one provider's alone do.
pub(super) fn of_litellm(name: &str) -> Option<(Api, &str)> {
    const PROVIDERS: [(&str, Api); 17] = [
        ("openai", Api::OpenAi),
        ("azure", Api::Azure),
        ("anthropic", Api::Anthropic),
        ("gemini", Api::Gemini),
        ("ollama", Api::Ollama),
        ("ollama_chat", Api::Ollama),
        ("deepseek", Api::DeepSeek),
        ("moonshot", Api::Moonshot),
        ("xai", Api::Xai),
        ("dashscope", Api::DashScope),
        ("vllm", Api::Vllm),
        ("hosted_vllm", Api::Vllm),
        ("huggingface", Api::HuggingFace),
        ("zai", Api::ZhipuAi),
        ("zhipuai", Api::ZhipuAi),
        ("modelscope", Api::ModelScope),
        ("yi", Api::Yi),
    ];
    if let Some((provider, model)) = name.split_once('/') {
        let (_, api) = PROVIDERS.iter().find(|(it, _)| *it == provider)?;
        return (!model.is_empty()).then_some((*api, model));
    }
    const BEGINNINGS: [(&str, Api); 6] = [
        ("gpt-", Api::OpenAi),
        ("chatgpt-", Api::OpenAi),
        ("o1", Api::OpenAi),
        ("o3", Api::OpenAi),
        ("o4", Api::OpenAi),
        ("claude-", Api::Anthropic),
    ];
    BEGINNINGS.iter().find(|(it, _)| name.starts_with(it)).map(|(_, api)| (*api, name))
}
