//! Media whose bytes have to be in a request.

use agentscope_core::{Error, ErrorKind, Media, Result, Source};
use agentscope_net::{Guard, fetch};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::io::Read;

/// Largest file that is put into a request (20 MiB), as most providers have it.
const FILE_LIMIT: usize = 20 << 20;

/// What a request has of a file.
pub(crate) struct Kept {
    pub(crate) media_type: String,
    /// In base64.
    pub(crate) data: String,
}

/// The bytes of media in base64: those of a local file, or what lies at a public address.
pub(crate) async fn inline(media: &Media) -> Result<Kept> {
    if let Source::Base64 { media_type, data } = &media.source {
        return Ok(Kept { media_type: media_type.clone(), data: data.clone() });
    }
    let (media_type, bytes) = bytes(media, Guard::public()).await?;
    Ok(Kept { media_type, data: STANDARD.encode(bytes) })
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
        return Ok((known, read(path.to_owned()).await?));
    }
    let fetched = fetch(url, guard, FILE_LIMIT).await?;
    let media_type = if known == "application/octet-stream" { fetched.media_type } else { known };
    Ok((media_type, fetched.bytes.into()))
}

async fn read(path: String) -> Result<Vec<u8>> {
    let task = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes))
            .map_err(|error| Error::from(error).context(format!("the file `{path}` cannot be read")))?;
        if bytes.len() > FILE_LIMIT {
            let message = format!(
                "the file `{path}` has more than {FILE_LIMIT} bytes: give a smaller one, or an address"
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(bytes)
    });
    task.await.map_err(|error| Error::new(ErrorKind::Internal, "reading a file failed").with_source(error))?
}
