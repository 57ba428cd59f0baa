//! Who serves the model, and in which ways they differ from OpenAI.

use std::fmt;

/// Who serves a model by the API of OpenAI. They agree on most of it; what differs is written down here and nowhere else.
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
    /// Alibaba Cloud's Model Studio: `dashscope:qwen-max`, DASHSCOPE_API_KEY, DASHSCOPE_BASE_URL.
    DashScope,
    /// DeepSeek: `deepseek:deepseek-chat`, DEEPSEEK_API_KEY, DEEPSEEK_BASE_URL.
    DeepSeek,
    /// Moonshot AI: `moonshot:kimi-k2`, MOONSHOT_API_KEY, MOONSHOT_BASE_URL.
    Moonshot,
    /// Ollama on this machine: `ollama:qwen3`, OLLAMA_BASE_URL, OLLAMA_API_KEY where it asks for one.
    Ollama,
    /// vLLM on this machine: `vllm:Qwen/Qwen3-8B`, VLLM_BASE_URL, VLLM_API_KEY where it asks for one.
    Vllm,
    /// Any other server, by its address: `http://host:8000/v1#name`, AGENTSCOPE_API_KEY where it asks for one.
    Other,
}

/// In which ways a provider differs.
pub(crate) struct Ways {
    /// As it stands before the colon of a spec.
    pub(crate) name: &'static str,
    /// What a key is found in.
    pub(crate) key: &'static str,
    pub(crate) needs_key: bool,
    pub(crate) base_url: &'static str,
    /// What another base URL is found in.
    pub(crate) base_url_variable: &'static str,
    /// Each message names its speaker, and its content is a list of parts even where it is one text.
    pub(crate) names_and_parts: bool,
    /// A tool's result names the tool, as 1.x has it. It is no part of the API, and some servers refuse what is none.
    pub(crate) names_tools: bool,
    /// System messages may stand anywhere; elsewhere, templates of chat refuse all but the first.
    pub(crate) system_anywhere: bool,
    /// It is shown images, sounds, films and files, in this order.
    pub(crate) shown: [bool; 4],
    /// It wants back what it thought before it called a tool.
    pub(crate) wants_thoughts: bool,
    /// What it calls the limit of tokens.
    pub(crate) max_tokens: &'static str,
    /// It can be held to a JSON schema.
    pub(crate) output_schema: bool,
}

const COMMON: Ways = Ways {
    name: "",
    key: "AGENTSCOPE_API_KEY",
    needs_key: false,
    base_url: "",
    base_url_variable: "",
    names_and_parts: false,
    names_tools: false,
    system_anywhere: false,
    shown: [true, true, true, false],
    wants_thoughts: false,
    max_tokens: "max_tokens",
    output_schema: false,
};

static OPENAI: Ways = Ways {
    name: "openai",
    key: "OPENAI_API_KEY",
    needs_key: true,
    base_url: "https://api.openai.com/v1",
    base_url_variable: "OPENAI_BASE_URL",
    names_and_parts: true,
    names_tools: true,
    system_anywhere: true,
    shown: [true, true, false, true],
    max_tokens: "max_completion_tokens",
    output_schema: true,
    ..COMMON
};

static DASHSCOPE: Ways = Ways {
    name: "dashscope",
    key: "DASHSCOPE_API_KEY",
    needs_key: true,
    base_url: "https://dashscope.aliyuncs.com/compatible-mode/v1",
    base_url_variable: "DASHSCOPE_BASE_URL",
    names_tools: true,
    ..COMMON
};

static DEEPSEEK: Ways = Ways {
    name: "deepseek",
    key: "DEEPSEEK_API_KEY",
    needs_key: true,
    base_url: "https://api.deepseek.com/v1",
    base_url_variable: "DEEPSEEK_BASE_URL",
    names_tools: true,
    system_anywhere: true,
    shown: [false; 4],
    wants_thoughts: true,
    ..COMMON
};

static MOONSHOT: Ways = Ways {
    name: "moonshot",
    key: "MOONSHOT_API_KEY",
    needs_key: true,
    base_url: "https://api.moonshot.cn/v1",
    base_url_variable: "MOONSHOT_BASE_URL",
    shown: [true, false, true, false],
    wants_thoughts: true,
    ..COMMON
};

static OLLAMA: Ways = Ways {
    name: "ollama",
    base_url: "http://localhost:11434/v1",
    base_url_variable: "OLLAMA_BASE_URL",
    key: "OLLAMA_API_KEY",
    shown: [true, false, false, false],
    output_schema: true,
    ..COMMON
};

static VLLM: Ways = Ways {
    name: "vllm",
    key: "VLLM_API_KEY",
    base_url: "http://localhost:8000/v1",
    base_url_variable: "VLLM_BASE_URL",
    output_schema: true,
    ..COMMON
};

static OTHER: Ways = COMMON;

impl Provider {
    /// Those that a spec can name.
    pub(crate) const NAMED: [Self; 6] =
        [Self::OpenAi, Self::DashScope, Self::DeepSeek, Self::Moonshot, Self::Ollama, Self::Vllm];

    pub(crate) fn ways(self) -> &'static Ways {
        match self {
            Self::OpenAi => &OPENAI,
            Self::DashScope => &DASHSCOPE,
            Self::DeepSeek => &DEEPSEEK,
            Self::Moonshot => &MOONSHOT,
            Self::Ollama => &OLLAMA,
            Self::Vllm => &VLLM,
            Self::Other => &OTHER,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => "other",
            named => named.ways().name,
        })
    }
}
