//! Files of a request, read before it is written: writing it is a pure function.

use crate::{
    conversation::{Manners, is_own},
    tokens::image_type,
};
use agentscope_core::{ContentBlock, Error, ErrorKind, Media, ModelRequest, Msg, Result, Role, Source};
use agentscope_net::{Guard, fetch, shown};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{collections::HashMap, io::Read};

/// Largest file that is put into a request (20 MiB), as most providers have it.
pub(crate) const FILE_LIMIT: usize = 20 << 20;

/// Files by their address.
#[derive(Debug, Default)]
pub(crate) struct Inlined(HashMap<String, Inline>);

/// A file that is put into the request.
#[derive(Debug)]
pub(crate) struct Inline {
    pub(crate) media_type: String,
    /// In base64.
    pub(crate) data: String,
}

impl Inlined {
    pub(crate) fn find(&self, url: &str) -> Option<&Inline> {
        self.0.get(url)
    }

    /// Reads the local files of a request, and fetches those whose kind the provider wants inline. One that was answered before
    /// and is gone since is left out: a conversation must not end with it.
    ///
    /// # Errors
    /// Those of reading and fetching; [`ErrorKind::InvalidInput`] for a file of more than 20 MiB, and for an image that is not
    /// answered yet and that is larger than the provider takes it.
    pub(crate) async fn of(req: &ModelRequest, manners: &Manners) -> Result<Self> {
        let answered = req.messages.iter().rposition(|msg| msg.role == Role::Assistant).unwrap_or(0);
        let mut inlined = Self::default();
        for (at, msg) in req.messages.iter().enumerate() {
            if at >= answered {
                check_images(req, msg, manners)?;
            }
            let mut wanted = Vec::new();
            collect(req, msg, manners, &mut wanted);
            for (media, url) in wanted {
                if inlined.0.contains_key(url) {
                    continue;
                }
                // Boxed, so that a request without files carries nothing of this.
                let read = Box::pin(Inline::of(media, url)).await.and_then(|inline| {
                    let is_image = inline.media_type.starts_with("image/");
                    if is_image {
                        check_size(media, &inline.data, manners)?;
                    }
                    Ok(inline)
                });
                match read {
                    Ok(inline) => drop(inlined.0.insert(url.to_owned(), inline)),
                    Err(error) if at < answered && !error.is_retryable() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(inlined)
    }
}

impl Inline {
    async fn of(media: &Media, url: &str) -> Result<Self> {
        if let Some(path) = media.local_path() {
            let media_type = media.media_type().to_owned();
            return read_file(path.to_owned(), " of a message", |bytes| {
                Ok(Self { media_type: checked(&bytes, media_type)?, data: STANDARD.encode(bytes) })
            })
            .await;
        }
        let fetched = fetch(url, Guard::public(), FILE_LIMIT).await?;
        let media_type = match media.media_type() {
            "application/octet-stream" => fetched.media_type,
            known => known.to_owned(),
        };
        let media_type = checked(&fetched.bytes, media_type).map_err(|error| error.context(shown(url)))?;
        Ok(Self { media_type, data: STANDARD.encode(fetched.bytes) })
    }
}

/// Whether the images that lie in a message are as small as the provider takes them. One that was answered before is told in
/// words.
fn check_images(req: &ModelRequest, msg: &Msg, manners: &Manners) -> Result<()> {
    if manners.image_limit == usize::MAX || is_own(req, msg) {
        return Ok(());
    }
    msg.content.iter().try_for_each(|block| match block {
        ContentBlock::Heard(msg) => check_images(req, msg, manners),
        ContentBlock::Image(media) => match &media.source {
            Source::Base64 { data, .. } => check_size(media, data, manners),
            Source::Url { url, .. } if url.starts_with("data:") => check_size(media, url, manners),
            _ => Ok(()),
        },
        _ => Ok(()),
    })
}

fn check_size(media: &Media, data: &str, manners: &Manners) -> Result<()> {
    if data.len() <= manners.image_limit {
        return Ok(());
    }
    let name = match (&media.name, media.local_path()) {
        (Some(name), _) => format!("the image `{name}`"),
        (None, Some(path)) => format!("the image `{path}`"),
        (None, None) => "an image".to_owned(),
    };
    let message = format!(
        "{name} of a message has {} bytes in base64, and the provider takes no more than {}: give one of at most {} bytes",
        data.len(),
        manners.image_limit,
        manners.image_limit / 4 * 3
    );
    Err(Error::new(ErrorKind::InvalidInput, message))
}

/// The media whose bytes have to be in the request: files of this machine, which no provider can reach, and those of the web
/// that this one does not fetch. What an assistant has shown is not shown to itself. Those of a tool's result are left where
/// they are: a tool may be someone else's program, which must not be able to have any file of this machine sent away by naming it.
fn collect<'a>(req: &ModelRequest, msg: &'a Msg, manners: &Manners, wanted: &mut Vec<(&'a Media, &'a str)>) {
    for block in &msg.content {
        let (media, kind) = match block {
            ContentBlock::Heard(msg) => {
                collect(req, msg, manners, wanted);
                continue;
            }
            _ if is_own(req, msg) => continue,
            ContentBlock::Image(media) => (media, 0),
            ContentBlock::Audio(media) => (media, 1),
            ContentBlock::Video(media) => (media, 2),
            ContentBlock::File(media) => (media, 3),
            _ => continue,
        };
        let is = |kinds: [bool; 4]| kinds.get(kind).is_some_and(|is| *is);
        if let Source::Url { url, .. } = &media.source
            && is(manners.shown)
            && !url.starts_with("data:")
            && !(manners.has)(url)
            && (media.local_path().is_some() || is(manners.inlined))
        {
            wanted.push((media, url));
        }
    }
}

/// Reads a file of this machine, up to 20 MiB, and makes something of it, beside the threads that answer. `whose` stands behind
/// its name in sentences.
pub(crate) async fn read_file<T: Send + 'static>(
    path: String,
    whose: &'static str,
    make: impl FnOnce(Vec<u8>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let task = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(FILE_LIMIT as u64 + 1).read_to_end(&mut bytes))
            .map_err(|error| {
                Error::from(error).context(format!("the file `{path}`{whose} cannot be read"))
            })?;
        if bytes.len() > FILE_LIMIT {
            let message = format!(
                "the file `{path}`{whose} has more than {FILE_LIMIT} bytes: give a smaller one, or an address"
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        make(bytes).map_err(|error| error.context(format!("the file `{path}`{whose}")))
    });
    task.await.map_err(|error| Error::new(ErrorKind::Internal, "reading a file failed").with_source(error))?
}

/// The media type of a file by its first bytes, where it is said to be an image: a name may be wrong, and providers refuse an
/// image that is called another than it is, with words that nobody understands.
fn checked(bytes: &[u8], media_type: String) -> Result<String> {
    if !media_type.starts_with("image/") || media_type == "image/svg+xml" {
        return Ok(media_type);
    }
    let message = "it is called an image but is none that is known: give a PNG, JPEG, GIF or WebP file, or attach it as \
                   what it is";
    let kind = image_type(bytes).ok_or_else(|| Error::new(ErrorKind::InvalidInput, message))?;
    Ok(kind.to_owned())
}
