//! What was meant by a name that nobody knows.

/// Most letters in which a name may differ from what was meant (2).
const MOST: usize = 2;

/// The name of `known` that differs from `name` in two letters at most, and in less than half of them; upper and lower case are the
/// same. Of several that are as near, the first.
///
/// ```
/// assert_eq!(agentscope_core::config::nearest("DialogAgnt", ["ReActAgent", "DialogAgent"]), Some("DialogAgent"));
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let alike = known.into_iter().filter(|it| it.chars().count().abs_diff(length) <= MOST);
    let name = name.to_lowercase();
    let (distance, nearest) =
        alike.map(|it| (distance(&name, &it.to_lowercase()), it)).min_by_key(|it| it.0)?;
    (distance <= MOST && 2 * distance < length.max(2)).then_some(nearest)
}

/// How many letters have to be put in, left out or changed, after Wagner and Fischer.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut above_left = at;
        let mut left = at + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(to.chars()) {
            let above = *cell;
            left = (above_left + usize::from(letter != other)).min(above + 1).min(left + 1);
            above_left = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_that_differs_in_few_letters() {
        let known = ["model_name", "api_key", "stream", "n"];
        for (name, meant) in [
            ("modle_name", Some("model_name")),
            ("apiKey", Some("api_key")),
            ("api-key", Some("api_key")),
            ("STREAM", Some("stream")),
            ("strm", None),
            ("m", None),
            ("", None),
            ("temperature", None),
        ] {
            assert_eq!(nearest(name, known), meant, "{name}");
        }
    }

    #[test]
    fn the_distance_is_that_of_wagner_and_fischer() {
        assert_eq!((distance("kitten", "sitting"), distance("", "abc"), distance("é", "e")), (3, 3, 1));
    }
}
