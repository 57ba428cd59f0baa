//! Who is asked, and where its key and address are found.

/// A provider, as far as requests of one answer go.
#[derive(Debug)]
pub(crate) struct Service {
    /// As it stands before the colon of a spec.
    pub(crate) name: &'static str,
    /// What a key is found in, the first one that is set.
    pub(crate) keys: &'static [&'static str],
    pub(crate) needs_key: bool,
    pub(crate) auth: Auth,
    pub(crate) base_url: &'static str,
    /// What another base URL is found in; empty for none.
    pub(crate) base_url_variable: &'static str,
}

/// How a key is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Auth {
    /// As `Authorization: Bearer ..`.
    Bearer,
    /// In a header of this name.
    Header(&'static str),
}

pub(crate) static OPENAI: Service = Service {
    name: "openai",
    keys: &["OPENAI_API_KEY"],
    needs_key: true,
    auth: Auth::Bearer,
    base_url: "https://api.openai.com/v1",
    base_url_variable: "OPENAI_BASE_URL",
};

/// The provider's own API. DASHSCOPE_BASE_URL is the address of the one that is compatible with OpenAI's.
pub(crate) static DASHSCOPE: Service = Service {
    name: "dashscope",
    keys: &["DASHSCOPE_API_KEY"],
    needs_key: true,
    auth: Auth::Bearer,
    base_url: "https://dashscope.aliyuncs.com/api/v1",
    base_url_variable: "DASHSCOPE_HTTP_BASE_URL",
};

pub(crate) static GEMINI: Service = Service {
    name: "gemini",
    keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    needs_key: true,
    auth: Auth::Header("x-goog-api-key"),
    base_url: "https://generativelanguage.googleapis.com/v1beta",
    base_url_variable: "GEMINI_BASE_URL",
};

pub(crate) static OLLAMA: Service = Service {
    name: "ollama",
    keys: &["OLLAMA_API_KEY"],
    needs_key: false,
    auth: Auth::Bearer,
    base_url: "http://localhost:11434",
    base_url_variable: "OLLAMA_BASE_URL",
};

pub(crate) static VLLM: Service = Service {
    name: "vllm",
    keys: &["VLLM_API_KEY"],
    needs_key: false,
    auth: Auth::Bearer,
    base_url: "http://localhost:8000/v1",
    base_url_variable: "VLLM_BASE_URL",
};

/// Any server that is compatible with OpenAI's, by its address.
pub(crate) static OTHER: Service = Service {
    name: "other",
    keys: &["AGENTSCOPE_API_KEY"],
    needs_key: false,
    auth: Auth::Bearer,
    base_url: "",
    base_url_variable: "",
};

impl Service {
    /// The variable that is named where a key is missing.
    pub(crate) fn key_variable(&self) -> &'static str {
        self.keys.first().copied().unwrap_or_default()
    }

    /// The base URL of the provider's own API, where `url` is that of its API compatible with OpenAI's: users have one variable
    /// for both.
    pub(crate) fn own_base(&self, url: &str) -> String {
        let url = url.trim_end_matches('/');
        let own = match self.name {
            "ollama" => url.strip_suffix("/v1").map(str::to_owned),
            "dashscope" => url.strip_suffix("/compatible-mode/v1").map(|host| format!("{host}/api/v1")),
            "gemini" => url.strip_suffix("/openai").map(str::to_owned),
            _ => None,
        };
        own.unwrap_or_else(|| url.to_owned())
    }
}
