//! What kind of image something is and how large, by what stands at its beginning.

/// The media type of an image, read from its beginning; none where it is no image that is known.
pub(crate) fn image_type(bytes: &[u8]) -> Option<&'static str> {
    let begins = |start: &[u8]| bytes.starts_with(start);
    let brand = bytes.get(4..12).unwrap_or_default();
    Some(if begins(b"\x89PNG\r\n\x1a\n") {
        "image/png"
    } else if begins(b"\xff\xd8\xff") {
        "image/jpeg"
    } else if begins(b"GIF8") {
        "image/gif"
    } else if begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        "image/webp"
    } else if begins(b"BM") {
        "image/bmp"
    } else if begins(b"II*\0") || begins(b"MM\0*") {
        "image/tiff"
    } else if brand.starts_with(b"ftyphei") || brand.starts_with(b"ftypmif") {
        "image/heic"
    } else if brand.starts_with(b"ftypavi") {
        "image/avif"
    } else {
        return None;
    })
}

/// Width and height of a PNG, JPEG, GIF or WebP in pixels, read from its beginning; none where it is none of these, or too little
/// of it is there.
///
/// ```
/// let gif = b"GIF89a\x20\x03\x58\x02\x00\x00\x00";
/// assert_eq!(agentscope_model::tokens::image_size(gif), Some((800, 600)));
/// assert_eq!(agentscope_model::tokens::image_size(b"no image"), None);
/// ```
pub fn image_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let size = match image_type(bytes)? {
        "image/png" => png(bytes),
        "image/jpeg" => jpeg(bytes),
        "image/gif" => Some((u32::from(little_16(bytes, 6)?), u32::from(little_16(bytes, 8)?))),
        "image/webp" => webp(bytes),
        _ => None,
    };
    size.filter(|(width, height)| *width > 0 && *height > 0)
}

/// PNG, 3rd edition, 11.2.1: the first chunk is IHDR.
fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.get(12..16)? != b"IHDR" {
        return None;
    }
    let side = |at: usize| bytes.get(at..at + 4)?.first_chunk().copied().map(u32::from_be_bytes);
    Some((side(16)?, side(20)?))
}

/// ITU T.81, annex B: segments up to the start of a frame.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xFF {
            return None;
        }
        match *bytes.get(at + 1)? {
            0xFF => at += 1,               // fill
            0x01 | 0xD0..=0xD8 => at += 2, // without a length
            0xD9 | 0xDA => return None,    // the image, and no frame before it
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                let side = |at: usize| big_16(bytes, at).map(u32::from);
                return Some((side(at + 7)?, side(at + 5)?));
            }
            _ => at += 2 + usize::from(big_16(bytes, at + 2)?).max(2),
        }
    }
}

/// RFC 9649: lossy, lossless, or extended.
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8 " => {
            let side = |at: usize| little_16(bytes, at).map(|it| u32::from(it & 0x3FFF));
            (bytes.get(23..26)? == [0x9D, 0x01, 0x2A]).then_some(())?;
            Some((side(26)?, side(28)?))
        }
        b"VP8L" => {
            let bits = bytes.get(21..25)?.first_chunk().copied().map(u32::from_le_bytes)?;
            (*bytes.get(20)? == 0x2F).then_some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
        }
        b"VP8X" => {
            let side = |at: usize| {
                Some(u32::from(little_16(bytes, at)?) + (u32::from(*bytes.get(at + 2)?) << 16) + 1)
            };
            Some((side(24)?, side(27)?))
        }
        _ => None,
    }
}

fn big_16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.first_chunk().copied().map(u16::from_be_bytes)
}

fn little_16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.first_chunk().copied().map(u16::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn riff(kind: &[u8], body: &[u8]) -> Vec<u8> {
        [b"RIFF\0\0\0\0WEBP", kind, b"\0\0\0\0", body].concat()
    }

    #[test]
    fn each_format_tells_its_size() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x07\x80\0\0\x04\x38\x08\x06";
        assert_eq!(image_size(png), Some((1920, 1080)));
        let exif = [&[0xFF, 0xE1, 0x10, 0x00][..], &[0xFF; 0x0FFE][..]].concat();
        let frame = [0xFF, 0xC2, 0, 17, 8, 0x02, 0x58, 0x03, 0x20, 3];
        assert_eq!(
            image_size(&[&[0xFF, 0xD8][..], &exif, &[0xFF, 0xFF], &frame[1..]].concat()),
            Some((800, 600))
        );
        assert_eq!(image_size(b"GIF87a\x01\x00\x02\x00"), Some((1, 2)));
        assert_eq!(image_size(&riff(b"VP8 ", b"\0\0\0\x9d\x01\x2a\x20\x43\x58\x82")), Some((800, 600)));
        let bits = (799_u32 | 599 << 14).to_le_bytes();
        assert_eq!(image_size(&riff(b"VP8L", &[&[0x2F][..], &bits].concat())), Some((800, 600)));
        assert_eq!(image_size(&riff(b"VP8X", b"\0\0\0\0\x1f\x03\0\x57\x02\0")), Some((800, 600)));
    }

    #[test]
    fn what_has_no_size_has_none() {
        for bytes in [
            &b""[..],
            b"\x89PNG\r\n\x1a\n",
            b"\x89PNG\r\n\x1a\n\0\0\0\x0dIDAT\0\0\x07\x80\0\0\x04\x38",
            b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\0\0\0\x04\x38",
            b"\xff\xd8\xff\xda\0\0",
            b"\xff\xd8\xff\xe0\0\0",
            b"\xff\xd8\xff\xe0\xff\xff",
            b"GIF89a\x01",
            b"RIFF\0\0\0\0WAVEfmt ",
        ] {
            assert_eq!(image_size(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fail_or_go_on_for_ever(
            start in prop::sample::select(vec![&b"\xff\xd8\xff"[..], b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8X"]),
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let _ = image_size(&[start, &rest].concat());
        }
    }
}
