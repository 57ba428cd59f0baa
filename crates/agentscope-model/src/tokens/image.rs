//! What images cost, by their size.

mod header;

pub use header::image_size;
pub(crate) use header::image_type;

use super::family::Family;
use agentscope_core::{Media, Source};
use base64::{Engine, engine::general_purpose::STANDARD};

/// How much of an image is read for its size (256 KiB): in a JPEG, a preview may come before it.
const HEAD: usize = 256 << 10;

/// The size of an image of which nothing is known.
const ASSUMED: (u32, u32) = (1024, 1024);

/// How closely a model of OpenAI looks at an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// As it likes, which is closely.
    #[default]
    Auto,
    /// At a small copy of it.
    Low,
    /// Closely.
    High,
}

/// How many tokens an image of a width and height in pixels costs `model`, as its provider says. For a model of nobody known it is
/// a pixel in 750, as Anthropic counts.
///
/// ```
/// use agentscope_model::tokens::{Detail, image_tokens};
///
/// assert_eq!(image_tokens("gpt-4o", (2048, 4096), Detail::High), 1105);
/// assert_eq!(image_tokens("gpt-4o", (2048, 4096), Detail::Low), 85);
/// assert_eq!(image_tokens("gemini-2.5-flash", (300, 200), Detail::Auto), 258);
/// ```
pub fn image_tokens(model: &str, size: (u32, u32), detail: Detail) -> u64 {
    let (width, height) = (f64::from(size.0.max(1)), f64::from(size.1.max(1)));
    match Family::of(model) {
        Family::Tiles { base, .. } if detail == Detail::Low => base,
        Family::Tiles { base, tile } => base + tile * tiles(width, height),
        Family::Patches { hundredths } => (patches(width, height) * hundredths).div_ceil(100),
        Family::Gemini => gemini(width, height),
        Family::Qwen { square } => qwen(width, height, f64::from(square)),
        Family::Anthropic | Family::Other => pixels(width, height),
    }
}

/// Squares of 512 pixels, of the image scaled into 2048 × 2048 and then to a shorter side of 768.
fn tiles(width: f64, height: f64) -> u64 {
    let fit = (2048.0 / width.max(height)).min(1.0);
    let scale = fit * (768.0 / (width.min(height) * fit)).min(1.0);
    let along = |side: f64| ceil(side * scale / 512.0);
    along(width) * along(height)
}

/// Squares of 32 pixels, at most 1536 of them: a larger image is scaled until they fit, without one that is cut.
fn patches(width: f64, height: f64) -> u64 {
    const MOST: u64 = 1536;
    let count = |scale: f64| ceil(width * scale / 32.0) * ceil(height * scale / 32.0);
    if count(1.0) <= MOST {
        return count(1.0);
    }
    let scale = (32.0 * 32.0 * MOST as f64 / (width * height)).sqrt();
    let (across, down) = (width * scale / 32.0, height * scale / 32.0);
    let whole = scale * (across.floor() / across).min(down.floor() / down);
    count(whole).clamp(1, MOST)
}

/// A small image is one piece; a larger one is scaled into 3072 × 3072 and cut into pieces of two thirds of its shorter side. Each
/// costs 258.
fn gemini(width: f64, height: f64) -> u64 {
    let scale = (3072.0 / width.max(height)).min(1.0);
    let (width, height) = (width * scale, height * scale);
    if width.max(height) <= 384.0 {
        return 258;
    }
    let piece = (width.min(height) / 1.5).floor().clamp(256.0, 768.0);
    258 * ceil(width / piece) * ceil(height / piece)
}

/// A token for each square, at most 1280 and at least 4 of them, and two around them.
fn qwen(width: f64, height: f64, square: f64) -> u64 {
    let squares = (width / square).round().max(1.0) * (height / square).round().max(1.0);
    squares.clamp(4.0, 1280.0) as u64 + 2
}

/// A token for 750 pixels, of the image scaled to a longer side of 1568 and at most 1600 tokens.
fn pixels(width: f64, height: f64) -> u64 {
    let scale = (1568.0 / width.max(height)).min(1.0);
    ceil(width * scale * height * scale / 750.0).min(1600)
}

/// Up, but for what is left of a scale that came out even.
fn ceil(number: f64) -> u64 {
    (number - 1e-9).ceil().max(1.0) as u64
}

pub(super) fn detail_of(detail: Option<&str>) -> Detail {
    match detail {
        Some("low") => Detail::Low,
        Some("high") => Detail::High,
        _ => Detail::Auto,
    }
}

/// The size of an image whose bytes are here; of one that is elsewhere, nothing is known.
pub(super) fn size_of(image: &Media) -> (u32, u32) {
    let data = match &image.source {
        Source::Base64 { data, .. } => data.as_str(),
        Source::Url { url, .. } => match url.strip_prefix("data:").and_then(|it| it.split_once(";base64,")) {
            Some((_, data)) => data,
            None => return ASSUMED,
        },
        _ => return ASSUMED,
    };
    // Most sizes stand in the first bytes.
    let read = |most: usize| {
        let length = data.len().min(most / 3 * 4) / 4 * 4;
        image_size(&STANDARD.decode(data.get(..length)?).ok()?)
    };
    read(96).or_else(|| read(HEAD)).unwrap_or(ASSUMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    // https://platform.openai.com/docs/guides/images-vision#calculating-costs
    #[test]
    fn images_cost_what_the_examples_of_openai_say() {
        let cost = |model, size| image_tokens(model, size, Detail::High);
        assert_eq!(cost("gpt-4o", (1024, 1024)), 765);
        assert_eq!(cost("gpt-4o", (2048, 4096)), 1105);
        assert_eq!(image_tokens("gpt-4o", (4096, 8192), Detail::Low), 85);
        assert_eq!(cost("gpt-4o-mini", (1024, 1024)), 2833 + 4 * 5667);
        assert_eq!(cost("gpt-4o", (512, 512)), 255, "a small image is not made larger");
        assert_eq!(patches(1024.0, 1024.0), 1024);
        assert_eq!(patches(1800.0, 2400.0), 1452);
        assert_eq!(cost("o4-mini", (1024, 1024)), 1762);
        assert_eq!(cost("gpt-4.1-nano", (32, 32)), 3);
    }

    #[test]
    fn others_count_as_they_say() {
        let cost = |model, size| image_tokens(model, size, Detail::Auto);
        assert_eq!(cost("claude-sonnet-4-5", (1000, 1000)), 1334);
        assert_eq!(cost("claude-sonnet-4-5", (200, 200)), 54);
        assert_eq!(cost("claude-sonnet-4-5", (10_000, 10_000)), 1600);
        assert_eq!(cost("gemini-2.5-flash", (384, 384)), 258);
        assert_eq!(cost("gemini-2.5-flash", (960, 540)), 6 * 258);
        assert_eq!(cost("qwen-vl-max", (280, 280)), 102);
        assert_eq!(cost("qwen-vl-max", (10_000, 10_000)), 1282);
    }

    #[test]
    fn no_size_makes_a_cost_without_a_bound() {
        let sides = [0, 1, 31, 32, 33, 511, 513, 768, 2049, 65_535, u32::MAX];
        for model in
            ["gpt-4o", "gpt-4o-mini", "gpt-5-mini", "o4-mini", "claude", "gemini", "qwen-vl", "qwen3-vl", "x"]
        {
            for size in sides.iter().flat_map(|width| sides.iter().map(move |height| (*width, *height))) {
                let tokens = image_tokens(model, size, Detail::High);
                assert!((1..=50_000).contains(&tokens), "{model} {size:?} {tokens}");
            }
        }
    }
}
