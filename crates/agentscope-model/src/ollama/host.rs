//! Where Ollama is, as OLLAMA_HOST says it: Ollama's own programs take more than an address.

/// The port of Ollama, where no scheme and no port is given.
const PORT: &str = "11434";

/// The address that OLLAMA_HOST names, as Ollama's `envconfig.ConnectableHost` reads it; `None` where it names none.
pub(super) fn url_of(host: &str) -> Option<String> {
    let host = host.trim();
    let (scheme, rest, default_port) = match host.split_once("://") {
        Some(("https", rest)) => ("https", rest, "443"),
        Some(("http", rest)) => ("http", rest, "80"),
        Some(_) => return None,
        None if host == "ollama.com" => ("https", host, "443"),
        None => ("http", host, PORT),
    };
    let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, port) = match place.rsplit_once(':') {
        // An IPv6 address without a port has colons too.
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, port),
        _ => (place, ""),
    };
    let port = if port.parse::<u16>().is_ok() { port } else { default_port };
    // A server listens there, and nobody can be reached there.
    let name = match name.trim_matches(['[', ']']) {
        "" | "0.0.0.0" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        address if address.contains(':') => format!("[{address}]"),
        name => name.to_owned(),
    };
    let path = path.trim_matches('/');
    let slash = if path.is_empty() { "" } else { "/" };
    (!host.is_empty()).then(|| format!("{scheme}://{name}:{port}{slash}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_as_ollama_reads_it() {
        // Those of Ollama's own test of `Host`, but for ports that are none, where it warns and we take the default as well.
        for (host, url) in [
            ("1.2.3.4", "http://1.2.3.4:11434"),
            (":1234", "http://127.0.0.1:1234"),
            ("1.2.3.4:1234", "http://1.2.3.4:1234"),
            ("example.com", "http://example.com:11434"),
            ("example.com:1234", "http://example.com:1234"),
            ("example.com:", "http://example.com:11434"),
            ("https://example.com", "https://example.com:443"),
            ("https://example.com:4321", "https://example.com:4321"),
            ("http://example.com", "http://example.com:80"),
            ("http://example.com/ollama/", "http://example.com:80/ollama"),
            ("::1", "http://[::1]:11434"),
            ("[::1]:1337", "http://[::1]:1337"),
            ("[::1]", "http://[::1]:11434"),
            ("0.0.0.0", "http://127.0.0.1:11434"),
            ("[::]:11434", "http://[::1]:11434"),
            ("1.2.3.4:66000", "http://1.2.3.4:11434"),
            (" ollama.com ", "https://ollama.com:443"),
        ] {
            assert_eq!(url_of(host).as_deref(), Some(url), "{host}");
        }
        assert_eq!(url_of(""), None);
        assert_eq!(url_of("ftp://h"), None);
    }
}
