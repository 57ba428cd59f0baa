//! Where the deployments of Azure OpenAI are.

use crate::http::with_path;
use agentscope_net::Url;

/// What the version of the API is found in, as the clients of OpenAI have it.
const VERSION: &str = "OPENAI_API_VERSION";

/// The method, under a base URL and under a deployment.
const METHOD: &str = "/chat/completions";

/// The version that the environment names.
pub(super) fn version() -> Option<String> {
    std::env::var(VERSION).ok().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())
}

/// The address of a deployment. A base URL that says already where the API is, as `https://NAME.openai.azure.com/openai/v1` does,
/// stays as it is. Under another one it is that of the version that it asks for by `?api-version=..`, or that is found, and
/// without one that of the API which has no versions any more.
pub(super) fn address(mut base: Url, deployment: &str, found: Option<&str>) -> Url {
    let named = base.query_pairs().any(|(name, _)| name == "api-version");
    let path = base.path().trim_end_matches('/').to_owned();
    let is_unversioned = path.ends_with("/openai/v1") || path.contains("/openai/v1/");
    if let (Some(version), false, false) = (found, named, is_unversioned) {
        base.query_pairs_mut().append_pair("api-version", version);
    }
    if path.contains("/openai/") || path.ends_with(METHOD) {
        return with_path(base, METHOD);
    }
    let path = path.strip_suffix("/openai").unwrap_or(&path).to_owned();
    base.set_path(&path);
    if !named && found.is_none() {
        return with_path(base, "/openai/v1/chat/completions");
    }
    if let Ok(mut segments) = base.path_segments_mut() {
        segments.pop_if_empty().extend(["openai", "deployments", deployment, "chat", "completions"]);
    }
    base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_found_under_any_base_url() {
        let of = |base: &str, found| address(base.parse().unwrap(), "my gpt/4o", found).to_string();
        let classic = "https://n.openai.azure.com/openai/deployments/my%20gpt%2F4o/chat/completions?api-version=2024-10-21";
        let plain = "https://n.openai.azure.com/openai/v1/chat/completions";
        for (base, found, expected) in [
            ("https://n.openai.azure.com", Some("2024-10-21"), classic),
            ("https://n.openai.azure.com/openai", Some("2024-10-21"), classic),
            ("https://n.openai.azure.com?api-version=2024-10-21", Some("2020-01-01"), classic),
            ("https://n.openai.azure.com", None, plain),
            ("https://n.openai.azure.com/openai", None, plain),
            ("https://n.openai.azure.com/openai/v1", Some("2024-10-21"), plain),
            ("https://n.openai.azure.com/openai/v1/chat/completions", Some("2024-10-21"), plain),
            (
                "https://n.openai.azure.com/openai/deployments/d",
                Some("2024-10-21"),
                "https://n.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
            ),
            (
                "https://proxy.example.com/team/openai/deployments/d/chat/completions?api-version=1",
                None,
                "https://proxy.example.com/team/openai/deployments/d/chat/completions?api-version=1",
            ),
            (
                "https://proxy.example.com/team",
                None,
                "https://proxy.example.com/team/openai/v1/chat/completions",
            ),
        ] {
            assert_eq!(of(base, found), expected, "{base} {found:?}");
        }
    }
}
