//! Media whose bytes have to be in a request.

use crate::http::{FILE_LIMIT, Inline, read_file};
use agentscope_core::{Error, ErrorKind, Media, Result, Source};
use agentscope_net::{Guard, fetch};
use base64::{Engine, engine::general_purpose::STANDARD};

/// The bytes of media in base64: those of a local file, or what lies at a public address.
pub(crate) async fn inline(media: &Media) -> Result<Inline> {
    if let Source::Base64 { media_type, data } = &media.source {
        return Ok(Inline { media_type: media_type.clone(), data: data.clone() });
    }
    let (media_type, bytes) = bytes(media, Guard::public()).await?;
    Ok(Inline { media_type, data: STANDARD.encode(bytes) })
}

/// The bytes of media, and their type.
pub(crate) async fn bytes(media: &Media, guard: Guard) -> Result<(String, Vec<u8>)> {
    let known = media.media_type().to_owned();
    let no_base64 = || Error::new(ErrorKind::InvalidInput, "the data of a picture is no base64: correct it");
    let url = match &media.source {
        Source::Base64 { data, .. } => return Ok((known, STANDARD.decode(data).map_err(|_| no_base64())?)),
        Source::Url { url, .. } => url,
        _ => {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "a picture comes from where nobody knows: give its bytes",
            ));
        }
    };
    if let Some(data) = url.strip_prefix("data:") {
        let (head, data) = data.split_once(',').unwrap_or_default();
        let Some(media_type) = head.strip_suffix(";base64") else { return Err(no_base64()) };
        return Ok((media_type.to_owned(), STANDARD.decode(data).map_err(|_| no_base64())?));
    }
    if let Some(path) = media.local_path() {
        return Ok((known, read_file(path.to_owned(), "", Ok).await?));
    }
    let fetched = fetch(url, guard, FILE_LIMIT).await?;
    let media_type = if known == "application/octet-stream" { fetched.media_type } else { known };
    Ok((media_type, fetched.bytes.into()))
}

/// Whether an address is one of the web, or holds the picture itself. A server that names a file of this machine must not have it
/// read and sent on.
#[cfg(feature = "image")]
pub(crate) fn is_of_the_web(url: &str) -> bool {
    ["http://", "https://", "data:"].iter().any(|start| url.starts_with(start))
}
