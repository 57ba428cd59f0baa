//! Keys in the wrong place: what is said of a key that is missing or not accepted. Names of variables are told, values never.

use std::collections::BTreeMap;

/// The variables that hold a provider's key, and how the provider is called.
const VARIABLES: [(&str, &str); 18] = [
    ("OPENAI_API_KEY", "OpenAI"),
    ("AZURE_OPENAI_API_KEY", "Azure"),
    ("AZURE_API_KEY", "Azure"),
    ("DASHSCOPE_API_KEY", "DashScope"),
    ("ANTHROPIC_API_KEY", "Anthropic"),
    ("GEMINI_API_KEY", "Gemini"),
    ("GOOGLE_API_KEY", "Gemini"),
    ("DEEPSEEK_API_KEY", "DeepSeek"),
    ("MOONSHOT_API_KEY", "Moonshot"),
    ("XAI_API_KEY", "xAI"),
    ("HF_TOKEN", "Hugging Face"),
    ("MODELSCOPE_API_KEY", "ModelScope"),
    ("ZHIPUAI_API_KEY", "Zhipu AI"),
    ("ZAI_API_KEY", "Zhipu AI"),
    ("YI_API_KEY", "Yi"),
    ("OPENROUTER_API_KEY", "OpenRouter"),
    ("GROQ_API_KEY", "Groq"),
    ("AGENTSCOPE_API_KEY", "a server of your own"),
];

/// How keys begin of those providers that can be told by it.
const BEGINNINGS: [(&str, &str); 10] = [
    ("sk-ant-", "Anthropic"),
    ("sk-or-", "OpenRouter"),
    ("sk-proj-", "OpenAI"),
    ("sk-svcacct-", "OpenAI"),
    ("sk-admin-", "OpenAI"),
    ("AIza", "Gemini"),
    ("xai-", "xAI"),
    ("hf_", "Hugging Face"),
    ("gsk_", "Groq"),
    ("ms-", "ModelScope"),
];

/// The variables of a program, those alone that are text.
#[derive(Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Those of this process, as they are now.
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// The value of a variable, without blanks around it; none if nothing is left.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|it| it.trim()).filter(|it| !it.is_empty())
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}

/// Why the key of the variable `needed` is missing or not accepted, as far as the environment tells: it is empty, it looks like
/// another provider's, it is in another variable, its name is misspelt, or another one is set. It goes into brackets behind what
/// is said of the key.
pub(crate) fn key_hint(needed: &str, environment: &Environment) -> Option<String> {
    if environment.0.contains_key(needed) {
        let Some(key) = environment.value(needed) else {
            return Some(format!("{needed} is set and empty"));
        };
        return key_fault(needed, key).map(|fault| format!("the value of {needed} {fault}"));
    }
    let whose = provider_of(needed);
    let values = || environment.0.iter().map(|(name, value)| (name.as_str(), value.trim()));
    let elsewhere = values().find(|(_, value)| whose.is_some() && form_of(value) == whose);
    if let (Some((name, _)), Some(whose)) = (elsewhere, whose) {
        return Some(format!("the value of {name} looks like a key of {whose}"));
    }
    let is_misspelt = |name: &str| {
        provider_of(name).is_none()
            && (crate::nearest::nearest(name, [needed]).is_some() || is_short_for(name, needed))
    };
    if let Some((name, _)) = values().find(|(name, value)| !value.is_empty() && is_misspelt(name)) {
        return Some(format!("{name} is set, which is not read: rename it"));
    }
    let others: Vec<_> = VARIABLES
        .iter()
        .filter(|(name, other)| environment.value(name).is_some() && Some(*other) != whose)
        .map(|(name, other)| format!("{name} is set, which is for {other}"))
        .collect();
    let same: Vec<_> = VARIABLES
        .iter()
        .filter(|(name, other)| environment.value(name).is_some() && Some(*other) == whose)
        .map(|(name, _)| format!("{name} is set, which is not read here"))
        .collect();
    let told = [same, others].concat();
    (!told.is_empty()).then(|| told.join("; "))
}

/// What is wrong with a key that is read from `variable`, as a predicate without its subject.
pub(crate) fn key_fault(variable: &str, key: &str) -> Option<String> {
    let key = key.trim();
    if is_placeholder(key) {
        return Some("is a placeholder: put a key in its place".to_owned());
    }
    if key.len() > 1 && ['"', '\''].iter().any(|quote| key.starts_with(*quote) && key.ends_with(*quote)) {
        return Some("is in quotation marks: leave them out".to_owned());
    }
    if key.get(..7).is_some_and(|begin| begin.eq_ignore_ascii_case("bearer ")) {
        return Some("begins with `Bearer`: leave it out".to_owned());
    }
    let (looks, whose) = (form_of(key)?, provider_of(variable)?);
    // A server of one's own may take any key.
    if looks == whose || variable == "AGENTSCOPE_API_KEY" {
        return None;
    }
    let variable =
        VARIABLES.iter().find(|(_, it)| *it == looks).map(|(name, _)| format!(", which {name} is for"));
    Some(format!("looks like a key of {looks}{}", variable.unwrap_or_default()))
}

/// Whether it stands for something that is to be put in its place, as in the templates of 0.x: `{your_api_key}`.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let text = text.strip_prefix("Bearer ").unwrap_or(text).trim();
    let is_in = |open: &str, close: &str| text.starts_with(open) && text.ends_with(close);
    let is_named =
        text.get(..5).is_some_and(|it| it.eq_ignore_ascii_case("your_") || it.eq_ignore_ascii_case("your-"));
    is_in("{", "}")
        || is_in("<", ">")
        || is_in("${", "}")
        || is_named
        || (!text.is_empty() && text.bytes().all(|it| it == b'*'))
}

/// Whether a text begins as keys do, so that it must not be told.
pub(crate) fn looks_like_key(text: &str) -> bool {
    text.starts_with("sk-") || text.starts_with("Bearer ") || form_of(text).is_some()
}

fn provider_of(variable: &str) -> Option<&'static str> {
    VARIABLES.iter().find(|(name, _)| *name == variable).map(|(_, provider)| *provider)
}

fn form_of(key: &str) -> Option<&'static str> {
    let long = key.len() >= 16 && !key.contains(char::is_whitespace);
    BEGINNINGS.iter().find(|(begin, _)| long && key.starts_with(begin)).map(|(_, provider)| *provider)
}

/// `OPENAI_KEY`, `OPENAI_TOKEN` or `OPENAI_APIKEY` for `OPENAI_API_KEY`.
fn is_short_for(name: &str, needed: &str) -> bool {
    let whose = |name: &str| name.split('_').next().unwrap_or_default().to_ascii_uppercase();
    let ends = ["_KEY", "_TOKEN", "_APIKEY", "_API"];
    whose(name) == whose(needed) && ends.iter().any(|end| name.to_ascii_uppercase().ends_with(end))
}

#[cfg(test)]
mod tests;
