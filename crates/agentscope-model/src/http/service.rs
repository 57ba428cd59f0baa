//! Who serves models: where, and by which key.

/// Who serves models: where, and by which key.
#[derive(Debug)]
pub(crate) struct Service {
    /// As it stands before the colon of a spec.
    pub(crate) name: &'static str,
    /// What a key is found in: the first of these variables that is set.
    pub(crate) keys: &'static [&'static str],
    pub(crate) needs_key: bool,
    pub(crate) auth: Auth,
    /// Empty where each user has an address of their own.
    pub(crate) base_url: &'static str,
    /// What another base URL is found in.
    pub(crate) base_url_variable: &'static str,
    /// What it speaks, as errors say it: `OpenAI's API`.
    pub(crate) api: &'static str,
    /// What its base URL is like: `which mostly ends with /v1`.
    pub(crate) place: &'static str,
    /// A base URL, as errors show one.
    pub(crate) example: &'static str,
}

/// How a request carries the key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Auth {
    /// As `Authorization: Bearer KEY`.
    Bearer,
    /// In a header of its own.
    Header(&'static str),
}

impl Service {
    pub(crate) const COMMON: Self = Self {
        name: "",
        keys: &["AGENTSCOPE_API_KEY"],
        needs_key: false,
        auth: Auth::Bearer,
        base_url: "",
        base_url_variable: "",
        api: "OpenAI's API",
        place: "which mostly ends with /v1",
        example: "http://localhost:8000/v1",
    };

    /// The variables of the key, as errors name them.
    pub(crate) fn key_names(&self) -> String {
        self.keys.join(" or ")
    }
}
