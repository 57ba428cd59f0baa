use crate::picture;
use agentscope_core::{Error, ErrorKind, Media, MsgId, Result, Source};
use agentscope_net::Guard;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::path::Path;

/// The same picture with its bytes in it, so that it lasts longer than its address: providers give addresses that are good for an
/// hour or a day. It is fetched from public addresses only, up to 20 MiB.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// use agentscope_core::Media;
///
/// let here = Media::base64("image/png", "iVBORw0KGgo=");
/// assert_eq!(agentscope_model::fetch_image(&here).await?, here);
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`ErrorKind::Refused`] if the address is not public; [`ErrorKind::NotFound`] if nothing is there any more;
/// [`ErrorKind::InvalidInput`] for a picture that is too large, or data that is no base64; those of the connection.
pub async fn fetch_image(image: &Media) -> Result<Media> {
    if matches!(image.source, Source::Base64 { .. }) {
        return Ok(image.clone());
    }
    let (media_type, bytes) = picture::bytes(image, Guard::public()).await?;
    let data = STANDARD.encode(bytes);
    Ok(with_source(image, Source::Base64 { media_type, data }))
}

/// Writes a picture into a folder, under a name of its own, and gives it as a local file. Its address is fetched as by
/// [`fetch_image`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> agentscope_core::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// use agentscope_core::Media;
///
/// let drawn = Media::base64("image/png", "iVBORw0KGgo=");
/// let kept = agentscope_model::save_image(&drawn, folder.path()).await?;
/// assert!(kept.local_path().unwrap().ends_with(".png"));
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`fetch_image`], and where the folder cannot be written.
pub async fn save_image(image: &Media, folder: impl AsRef<Path>) -> Result<Media> {
    save(image, folder.as_ref(), Guard::public()).await
}

async fn save(image: &Media, folder: &Path, guard: Guard) -> Result<Media> {
    let (media_type, bytes) = picture::bytes(image, guard).await?;
    let path = folder.join(format!("{}.{}", MsgId::random(), extension(&media_type)));
    let Some(url) = path.to_str().map(str::to_owned) else {
        let message = format!("the path `{}` is no text: save pictures elsewhere", path.display());
        return Err(Error::new(ErrorKind::InvalidInput, message));
    };
    let folder = folder.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, bytes)).map_err(|error| {
            Error::from(error).context(format!("a picture cannot be written to `{}`", folder.display()))
        })
    });
    written
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "writing a picture failed").with_source(error))??;
    Ok(with_source(image, Source::Url { url, media_type: Some(media_type) }))
}

fn with_source(image: &Media, source: Source) -> Media {
    let mut kept = Media::from(source);
    (kept.name, kept.extra) = (image.name.clone(), image.extra.clone());
    kept
}

/// What the name of a file of this type ends with. It comes from elsewhere, and becomes a part of a path.
fn extension(media_type: &str) -> &str {
    match media_type {
        "image/jpeg" | "image/jpg" => "jpg",
        "image/webp" => "webp",
        "image/gif" => "gif",
        "image/bmp" => "bmp",
        "image/svg+xml" => "svg",
        _ => "png",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    async fn serve(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(answer).await.unwrap();
        });
        format!("http://{address}/picture?signature=secret")
    }

    #[tokio::test]
    async fn a_picture_is_fetched_and_kept_with_all_that_is_said_of_it() {
        let url = serve(b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: 3\r\n\r\nabc").await;
        let folder = tempfile::tempdir().unwrap();
        let mut drawn = Media::url(url);
        drawn.extra.set("revised_prompt", "a dot");
        let kept = save(&drawn, &folder.path().join("new"), Guard::any()).await.unwrap();
        let path = kept.local_path().unwrap();
        assert_eq!((std::fs::read(path).unwrap(), path.ends_with(".jpg")), (b"abc".to_vec(), true));
        assert_eq!(kept.extra.get("revised_prompt").unwrap(), "a dot");
        assert_eq!(kept.media_type(), "image/jpeg");
    }

    #[tokio::test]
    async fn nothing_is_fetched_from_this_machine() {
        let url = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc").await;
        let folder = tempfile::tempdir().unwrap();
        let error = save_image(&Media::url(&url), folder.path()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(!error.message().contains("secret"), "{error}");
        assert_eq!(fetch_image(&Media::url(url)).await.unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_picture_becomes_bytes_whatever_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let kept = save_image(&Media::base64("image/webp", "YWJj"), folder.path()).await.unwrap();
        assert_eq!(fetch_image(&kept).await.unwrap(), Media::base64("image/webp", "YWJj"));
        let data = Media::url("data:image/gif;base64,YWJj");
        assert_eq!(fetch_image(&data).await.unwrap(), Media::base64("image/gif", "YWJj"));
        for wrong in ["data:image/gif;base64,?", "data:image/gif,abc", "data:"] {
            assert_eq!(
                fetch_image(&Media::url(wrong)).await.unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{wrong}"
            );
        }
        let odd = save_image(&Media::base64("image/../../x", "YWJj"), folder.path()).await.unwrap();
        assert_eq!(Path::new(odd.local_path().unwrap()).parent().unwrap(), folder.path());
    }
}
