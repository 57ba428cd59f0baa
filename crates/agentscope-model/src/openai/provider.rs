//! Who serves the model, and in which ways they differ from OpenAI.

use crate::{
    conversation::Manners,
    http::{Auth, Service},
};
use std::fmt;

/// Who serves a model by the chat API of OpenAI. They agree on most of it; what differs is written down here and nowhere else.
///
/// ```
/// use agentscope_model::Provider;
/// assert_eq!(Provider::DeepSeek.to_string(), "deepseek");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI itself: `openai:gpt-4o`, OPENAI_API_KEY, OPENAI_BASE_URL.
    OpenAi,
    /// Azure OpenAI: `azure:DEPLOYMENT`, AZURE_OPENAI_API_KEY, AZURE_OPENAI_ENDPOINT such as `https://NAME.openai.azure.com`. With
    /// a version in OPENAI_API_VERSION, or as `?api-version=..` behind the address, it is asked by the API of that version, else by
    /// the one without versions. A token of Entra ID goes by `.header("Authorization", "Bearer ..")`.
    Azure,
    /// Alibaba Cloud's Model Studio in its compatible mode: `dashscope:qwen-max`, DASHSCOPE_API_KEY, DASHSCOPE_BASE_URL.
    DashScope,
    /// DeepSeek: `deepseek:deepseek-chat`, DEEPSEEK_API_KEY, DEEPSEEK_BASE_URL.
    DeepSeek,
    /// Moonshot AI: `moonshot:kimi-k2`, MOONSHOT_API_KEY, MOONSHOT_BASE_URL.
    Moonshot,
    /// xAI: `xai:grok-4`, XAI_API_KEY, XAI_BASE_URL.
    Xai,
    /// Zhipu AI: `zhipu:glm-4.6`, ZHIPUAI_API_KEY or ZAI_API_KEY, ZHIPUAI_BASE_URL.
    Zhipu,
    /// 01.AI: `yi:yi-large`, YI_API_KEY, YI_BASE_URL.
    Yi,
    /// Hugging Face's inference providers: `huggingface:Qwen/Qwen3-8B`, HF_TOKEN or HUGGINGFACE_API_KEY, HF_BASE_URL.
    HuggingFace,
    /// ModelScope's inference: `modelscope:Qwen/Qwen3-8B`, MODELSCOPE_API_KEY or MODELSCOPE_SDK_TOKEN, MODELSCOPE_BASE_URL.
    ModelScope,
    /// Ollama on this machine by its compatible API; its own is that of [`OllamaChatModel`](crate::OllamaChatModel).
    Ollama,
    /// vLLM on this machine: `vllm:Qwen/Qwen3-8B`, VLLM_BASE_URL, VLLM_API_KEY where it asks for one.
    Vllm,
    /// FastChat on this machine: `fastchat:vicuna-7b-v1.5`, FASTCHAT_BASE_URL, FASTCHAT_API_KEY where it asks for one.
    FastChat,
    /// Any other server, by its address: `http://host:8000/v1#name`, AGENTSCOPE_API_KEY where it asks for one.
    Other,
}

/// In which ways a provider differs.
#[derive(Debug)]
pub(crate) struct Ways {
    pub(crate) service: Service,
    pub(crate) manners: Manners,
    /// Each message names its speaker, and its content is a list of parts even where it is one text.
    pub(crate) names_and_parts: bool,
    /// A tool's result names the tool, as 1.x has it. It is no part of the API, and some servers refuse what is none.
    pub(crate) names_tools: bool,
    /// It wants back what it thought in a turn in which it called tools, and refuses a call without any thought.
    pub(crate) wants_thoughts: bool,
    /// What it calls the limit of tokens.
    pub(crate) max_tokens: &'static str,
    /// It can be held to a JSON schema.
    pub(crate) output_schema: bool,
    /// Its models are those of OpenAI, with their names.
    pub(crate) is_openai: bool,
    /// It chooses by itself whether to call a tool: without tools it calls none, and nothing else can be asked of it.
    pub(crate) chooses: bool,
}

const COMMON: Ways = Ways {
    service: Service::COMMON,
    manners: Manners::COMMON,
    names_and_parts: false,
    names_tools: false,
    wants_thoughts: false,
    max_tokens: "max_tokens",
    output_schema: false,
    is_openai: false,
    chooses: false,
};

const OPENAI_MANNERS: Manners = Manners {
    shown: [true, true, false, true],
    images: Manners::WEB_IMAGES,
    system_anywhere: true,
    ..Manners::COMMON
};

static OPENAI: Ways = Ways {
    service: Service {
        name: "openai",
        keys: &["OPENAI_API_KEY"],
        needs_key: true,
        base_url: "https://api.openai.com/v1",
        base_url_variable: "OPENAI_BASE_URL",
        ..Service::COMMON
    },
    manners: OPENAI_MANNERS,
    names_and_parts: true,
    names_tools: true,
    max_tokens: "max_completion_tokens",
    output_schema: true,
    is_openai: true,
    ..COMMON
};

static AZURE: Ways = Ways {
    service: Service {
        name: "azure",
        keys: &["AZURE_OPENAI_API_KEY"],
        needs_key: true,
        auth: Auth::Header("api-key"),
        base_url_variable: "AZURE_OPENAI_ENDPOINT",
        place: "such as https://NAME.openai.azure.com",
        example: "https://NAME.openai.azure.com",
        ..Service::COMMON
    },
    manners: OPENAI_MANNERS,
    names_and_parts: true,
    max_tokens: "max_completion_tokens",
    output_schema: true,
    is_openai: true,
    ..COMMON
};

static DASHSCOPE: Ways = Ways {
    service: Service {
        name: "dashscope",
        keys: &["DASHSCOPE_API_KEY"],
        needs_key: true,
        base_url: "https://dashscope.aliyuncs.com/compatible-mode/v1",
        base_url_variable: "DASHSCOPE_BASE_URL",
        ..Service::COMMON
    },
    names_tools: true,
    ..COMMON
};

static DEEPSEEK: Ways = Ways {
    service: Service {
        name: "deepseek",
        keys: &["DEEPSEEK_API_KEY"],
        needs_key: true,
        base_url: "https://api.deepseek.com/v1",
        base_url_variable: "DEEPSEEK_BASE_URL",
        ..Service::COMMON
    },
    manners: Manners { shown: [false; 4], system_anywhere: true, ..Manners::COMMON },
    names_tools: true,
    wants_thoughts: true,
    ..COMMON
};

static MOONSHOT: Ways = Ways {
    service: Service {
        name: "moonshot",
        keys: &["MOONSHOT_API_KEY"],
        needs_key: true,
        base_url: "https://api.moonshot.cn/v1",
        base_url_variable: "MOONSHOT_BASE_URL",
        ..Service::COMMON
    },
    manners: Manners { shown: [true, false, true, false], ..Manners::COMMON },
    wants_thoughts: true,
    ..COMMON
};

static XAI: Ways = Ways {
    service: Service {
        name: "xai",
        keys: &["XAI_API_KEY"],
        needs_key: true,
        base_url: "https://api.x.ai/v1",
        base_url_variable: "XAI_BASE_URL",
        ..Service::COMMON
    },
    manners: Manners { shown: [true, false, false, false], system_anywhere: true, ..Manners::COMMON },
    max_tokens: "max_completion_tokens",
    output_schema: true,
    ..COMMON
};

static ZHIPU: Ways = Ways {
    service: Service {
        name: "zhipu",
        keys: &["ZHIPUAI_API_KEY", "ZAI_API_KEY"],
        needs_key: true,
        base_url: "https://open.bigmodel.cn/api/paas/v4",
        base_url_variable: "ZHIPUAI_BASE_URL",
        place: "which mostly ends with /v4",
        ..Service::COMMON
    },
    manners: Manners { shown: [true, false, true, false], ..Manners::COMMON },
    chooses: true,
    ..COMMON
};

static YI: Ways = Ways {
    service: Service {
        name: "yi",
        keys: &["YI_API_KEY"],
        needs_key: true,
        base_url: "https://api.lingyiwanwu.com/v1",
        base_url_variable: "YI_BASE_URL",
        ..Service::COMMON
    },
    manners: Manners { shown: [true, false, false, false], ..Manners::COMMON },
    ..COMMON
};

static HUGGINGFACE: Ways = Ways {
    service: Service {
        name: "huggingface",
        keys: &["HF_TOKEN", "HUGGINGFACE_API_KEY"],
        needs_key: true,
        base_url: "https://router.huggingface.co/v1",
        base_url_variable: "HF_BASE_URL",
        ..Service::COMMON
    },
    manners: Manners { shown: [true, false, false, false], ..Manners::COMMON },
    ..COMMON
};

static MODELSCOPE: Ways = Ways {
    service: Service {
        name: "modelscope",
        keys: &["MODELSCOPE_API_KEY", "MODELSCOPE_SDK_TOKEN"],
        needs_key: true,
        base_url: "https://api-inference.modelscope.cn/v1",
        base_url_variable: "MODELSCOPE_BASE_URL",
        ..Service::COMMON
    },
    manners: Manners { shown: [true, false, true, false], ..Manners::COMMON },
    ..COMMON
};

static OLLAMA: Ways = Ways {
    service: Service {
        name: "ollama",
        keys: &["OLLAMA_API_KEY"],
        base_url: "http://localhost:11434/v1",
        base_url_variable: "OLLAMA_BASE_URL",
        ..Service::COMMON
    },
    manners: Manners {
        shown: [true, false, false, false],
        inlined: [true, true, false, true],
        ..Manners::COMMON
    },
    output_schema: true,
    ..COMMON
};

static VLLM: Ways = Ways {
    service: Service {
        name: "vllm",
        keys: &["VLLM_API_KEY"],
        base_url: "http://localhost:8000/v1",
        base_url_variable: "VLLM_BASE_URL",
        ..Service::COMMON
    },
    output_schema: true,
    ..COMMON
};

static FASTCHAT: Ways = Ways {
    service: Service {
        name: "fastchat",
        keys: &["FASTCHAT_API_KEY"],
        base_url: "http://localhost:8000/v1",
        base_url_variable: "FASTCHAT_BASE_URL",
        ..Service::COMMON
    },
    manners: Manners { shown: [true, false, false, false], ..Manners::COMMON },
    ..COMMON
};

static OTHER: Ways = COMMON;

impl Provider {
    /// Those that a spec can name.
    pub(crate) const NAMED: [Self; 12] = [
        Self::OpenAi,
        Self::Azure,
        Self::DashScope,
        Self::DeepSeek,
        Self::Moonshot,
        Self::Xai,
        Self::Zhipu,
        Self::Yi,
        Self::HuggingFace,
        Self::ModelScope,
        Self::Vllm,
        Self::FastChat,
    ];

    pub(crate) fn ways(self) -> &'static Ways {
        match self {
            Self::OpenAi => &OPENAI,
            Self::Azure => &AZURE,
            Self::DashScope => &DASHSCOPE,
            Self::DeepSeek => &DEEPSEEK,
            Self::Moonshot => &MOONSHOT,
            Self::Xai => &XAI,
            Self::Zhipu => &ZHIPU,
            Self::Yi => &YI,
            Self::HuggingFace => &HUGGINGFACE,
            Self::ModelScope => &MODELSCOPE,
            Self::Ollama => &OLLAMA,
            Self::Vllm => &VLLM,
            Self::FastChat => &FASTCHAT,
            Self::Other => &OTHER,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => "other",
            named => named.ways().service.name,
        })
    }
}
