//! Whether a JSON text is whole, without reading it twice.

/// Whether a JSON object is whole, byte by byte: nothing is kept and nothing is read twice.
#[derive(Default)]
pub(crate) struct Shape {
    begun: bool,
    depth: i64,
    in_text: bool,
    escaped: bool,
}

impl Shape {
    /// Whether a text that came at once is whole.
    pub(crate) fn is_whole_in(json: &str) -> bool {
        let mut shape = Self::default();
        shape.add(json);
        shape.is_whole()
    }

    pub(crate) fn add(&mut self, json: &str) {
        for byte in json.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                b'{' | b'[' if !self.in_text => (self.begun, self.depth) = (true, self.depth + 1),
                b'}' | b']' if !self.in_text => self.depth -= 1,
                _ => {}
            }
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun || self.in_text
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.depth == 0 && !self.in_text
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.begun && self.is_whole()
    }
}
