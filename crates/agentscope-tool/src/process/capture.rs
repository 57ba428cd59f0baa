/// The head and the tail of a stream of bytes, in bounded memory.
pub(super) struct Capture {
    head: Vec<u8>,
    tail: Vec<u8>,
    limit: usize,
    total: u64,
}

impl Capture {
    /// Keeps at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { head: Vec::new(), tail: Vec::new(), limit, total: 0 }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = (self.limit / 2).saturating_sub(self.head.len()).min(bytes.len());
        let (head, tail) = bytes.split_at(room);
        self.head.extend_from_slice(head);
        self.tail.extend_from_slice(tail);
        // Moved only when as much again has come: each byte is moved about once.
        if self.tail.len() > 2 * self.tail_limit() {
            self.trim();
        }
    }

    fn tail_limit(&self) -> usize {
        self.limit - self.limit / 2
    }

    fn trim(&mut self) {
        let surplus = self.tail.len().saturating_sub(self.tail_limit());
        self.tail.drain(..surplus);
    }

    /// As text. Bytes that are no UTF-8 become U+FFFD; where something is missing it says how much.
    pub(super) fn into_text(mut self) -> String {
        self.trim();
        let missing = self.total - self.head.len() as u64 - self.tail.len() as u64;
        if missing == 0 {
            self.head.append(&mut self.tail);
            return String::from_utf8_lossy(&self.head).into_owned();
        }
        let (head, tail) = (whole_start(&self.head), whole_end(&self.tail));
        let missing = self.total - head.len() as u64 - tail.len() as u64;
        format!(
            "{}\n[... {missing} of {} bytes are left out here ...]\n{}",
            String::from_utf8_lossy(head),
            self.total,
            String::from_utf8_lossy(tail)
        )
    }
}

/// Without a character that was cut at the end.
fn whole_start(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => bytes.get(..error.valid_up_to()).unwrap_or(bytes),
        _ => bytes,
    }
}

/// Without the rest of a character that was cut at the start: at most three continuation bytes.
fn whole_end(bytes: &[u8]) -> &[u8] {
    let rest = bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
    bytes.get(rest..).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_fits_is_kept_whole_however_it_was_cut(text in ".{0,200}", step in 1_usize..9) {
            let mut capture = Capture::new(text.len());
            text.as_bytes().chunks(step).for_each(|chunk| capture.push(chunk));
            prop_assert_eq!(capture.into_text(), text);
        }

        #[test]
        fn of_more_the_head_and_the_tail_are_kept_whole_characters(
            text in "[aé漢😀]{20,200}", limit in 0_usize..19, step in 1_usize..9,
        ) {
            let mut capture = Capture::new(limit);
            for chunk in text.as_bytes().chunks(step) {
                capture.push(chunk);
                prop_assert!(capture.head.len() + capture.tail.len() <= 2 * limit + 2 + step);
            }
            let shown = capture.into_text();
            let (head, rest) = shown.split_once("\n[... ").unwrap();
            let (note, tail) = rest.split_once(" ...]\n").unwrap();
            prop_assert!(text.starts_with(head) && text.ends_with(tail));
            let missing = text.len() - head.len() - tail.len();
            prop_assert_eq!(note, format!("{missing} of {} bytes are left out here", text.len()));
        }
    }
}
