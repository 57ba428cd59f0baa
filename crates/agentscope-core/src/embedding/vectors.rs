use crate::{
    error::{Error, ErrorKind, Result},
    message::Usage,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Vectors of one length, in one piece of memory.
///
/// ```
/// use agentscope_core::Embeddings;
///
/// let vectors = Embeddings::from_rows([[1.0, 0.0], [0.6, 0.8]])?;
/// assert_eq!((vectors.len(), vectors.dimensions()), (2, 2));
/// assert_eq!(vectors.rows().map(|row| row[0]).collect::<Vec<_>>(), [1.0, 0.6]);
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Embeddings {
    vectors: Vectors,
    /// What they cost. Vectors from a cache cost nothing.
    #[serde(default)]
    pub usage: Usage,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Vectors {
    /// At least 1 where there is a row.
    dimensions: usize,
    /// One row after the other.
    values: Vec<f32>,
}

impl Embeddings {
    /// The vectors that lie in `values` one after the other.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if they do not come out even.
    pub fn new(dimensions: usize, values: Vec<f32>) -> Result<Self> {
        let even = match dimensions {
            0 => values.is_empty(),
            some => values.len().is_multiple_of(some),
        };
        if !even {
            let message =
                format!("{} numbers are no whole number of vectors of {dimensions}: give all", values.len());
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(Self { vectors: Vectors { dimensions, values }, usage: Usage::default() })
    }

    /// The vectors `rows`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if they differ in length, or have none.
    pub fn from_rows(rows: impl IntoIterator<Item = impl AsRef<[f32]>>) -> Result<Self> {
        let (mut dimensions, mut values) = (0, Vec::new());
        for (at, row) in rows.into_iter().enumerate() {
            let row = row.as_ref();
            if at == 0 {
                dimensions = row.len();
            }
            if row.len() != dimensions || row.is_empty() {
                let message = format!(
                    "vector {at} has {} numbers, and the first {dimensions}: give vectors of one length",
                    row.len()
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            values.extend_from_slice(row);
        }
        Self::new(dimensions, values)
    }

    /// The same, at this cost.
    #[must_use]
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.vectors.values.len().checked_div(self.vectors.dimensions).unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.vectors.values.is_empty()
    }

    /// Numbers in each vector; 0 where there is none.
    pub fn dimensions(&self) -> usize {
        self.vectors.dimensions
    }

    /// The vector of the input number `at`, from 0.
    pub fn row(&self, at: usize) -> Option<&[f32]> {
        let start = at.checked_mul(self.vectors.dimensions)?;
        let row = self.vectors.values.get(start..start.checked_add(self.vectors.dimensions)?)?;
        (!row.is_empty()).then_some(row)
    }

    /// The vectors, in the order of the inputs.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.vectors.values.chunks_exact(self.vectors.dimensions.max(1))
    }

    /// All numbers, one vector after the other.
    pub fn values(&self) -> &[f32] {
        &self.vectors.values
    }

    /// The same, taken.
    pub fn into_values(self) -> Vec<f32> {
        self.vectors.values
    }
}

/// As a list of lists, which every vector store takes.
impl Serialize for Vectors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.values.chunks_exact(self.dimensions.max(1)))
    }
}

impl<'de> Deserialize<'de> for Vectors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<Vec<f32>>::deserialize(deserializer)?;
        Embeddings::from_rows(rows).map(|it| it.vectors).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_another_length_are_refused() {
        assert!(Embeddings::new(3, vec![0.0; 7]).is_err());
        assert!(Embeddings::new(0, vec![0.0]).is_err());
        let error = Embeddings::from_rows([vec![1.0, 2.0], vec![1.0]]).unwrap_err();
        assert_eq!(error.message(), "vector 1 has 1 numbers, and the first 2: give vectors of one length");
        assert!(Embeddings::from_rows([Vec::new()]).is_err());
    }

    #[test]
    fn no_vector_is_none_whatever_is_asked_of_it() {
        let none = Embeddings::default();
        assert!(none.is_empty() && none.rows().next().is_none());
        assert_eq!((none.len(), none.row(0), none.row(usize::MAX)), (0, None, None));
        assert_eq!(Embeddings::new(5, Vec::new()).unwrap().len(), 0);
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let vectors =
            Embeddings::from_rows([[0.1, -2.5e-8], [3.0, f32::MAX]]).unwrap().with_usage(Usage::new(7, 0));
        let json = serde_json::to_string(&vectors).unwrap();
        assert!(json.starts_with(r#"{"vectors":[[0.1,"#), "{json}");
        assert_eq!(serde_json::from_str::<Embeddings>(&json).unwrap(), vectors);
        assert!(serde_json::from_str::<Embeddings>(r#"{"vectors":[[1.0],[1.0,2.0]]}"#).is_err());
    }
}
