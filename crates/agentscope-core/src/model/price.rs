//! What a model costs.

use crate::{
    error::{Error, ErrorKind, Result},
    message::Usage,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// Tokens for which a price is given.
const MILLION: u128 = 1_000_000;

/// Billionths of a unit of a currency, in which money is counted.
const NANOS: f64 = 1e9;

/// What a million tokens cost, in the provider's currency.
///
/// ```
/// use agentscope_core::{Currency, ModelCard, Price, Usage};
///
/// let price = Price::new(0.4, 1.2).cached(0.1);
/// assert_eq!(price.cost(&Usage::new(1_000_000, 500_000)), 1.0);
///
/// let mut card = ModelCard::new("qwen3");
/// card.price = Some(price.currency(Currency::CNY));
/// assert_eq!(serde_json::to_value(&card)?["price"]["currency"], "CNY");
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Price {
    /// For tokens read.
    pub input: f64,
    /// For tokens read from the provider's cache; `0` where they cost as much as others.
    pub cached: f64,
    /// For tokens put into the provider's cache; `0` where they cost as much as others.
    pub cache_write: f64,
    /// For tokens written.
    pub output: f64,
    /// In which currency; US dollars where nothing is said.
    pub currency: Currency,
    /// What the whole call costs instead, if its request is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long: Option<LongPrice>,
}

/// What a million tokens cost in a call whose request has more than so many tokens. It is for all tokens of that call.
///
/// ```
/// use agentscope_core::{LongPrice, Price, Usage};
///
/// let long = LongPrice { above: 200_000, input: 4.0, output: 18.0, ..LongPrice::default() };
/// let price = Price { long: Some(long), ..Price::new(2.0, 12.0) };
/// assert_eq!(price.cost(&Usage::new(200_000, 0)), 0.4);
/// assert_eq!(price.cost(&Usage::new(250_000, 0)), 1.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LongPrice {
    /// Tokens of a request that is not long yet.
    pub above: u64,
    /// For tokens read.
    pub input: f64,
    /// For tokens read from the provider's cache; `0` where they cost as much as others.
    pub cached: f64,
    /// For tokens put into the provider's cache; `0` where they cost as much as others.
    pub cache_write: f64,
    /// For tokens written.
    pub output: f64,
}

impl Price {
    /// So many US dollars for a million tokens read and for a million tokens written.
    pub fn new(input: f64, output: f64) -> Self {
        Self { input, output, ..Self::default() }
    }

    /// For a million tokens read from the provider's cache.
    #[must_use]
    pub fn cached(self, cached: f64) -> Self {
        Self { cached, ..self }
    }

    /// For a million tokens put into the provider's cache.
    #[must_use]
    pub fn cache_write(self, cache_write: f64) -> Self {
        Self { cache_write, ..self }
    }

    /// In this currency.
    #[must_use]
    pub fn currency(self, currency: Currency) -> Self {
        Self { currency, ..self }
    }

    /// What this usage of one call costs, in units of the currency.
    pub fn cost(&self, usage: &Usage) -> f64 {
        self.cost_nanos(usage) as f64 / NANOS
    }

    /// What this usage of one call costs, in billionths of a unit of the currency, so that sums of many calls stay exact. A price below 0 or
    /// that is no number counts as 0; [`u64::MAX`] is the most.
    ///
    /// ```
    /// use agentscope_core::{Price, Usage};
    ///
    /// let mut usage = Usage::new(1000, 10);
    /// (usage.cached_tokens, usage.cache_write_tokens) = (600, 300);
    /// let price = Price::new(3.0, 15.0).cached(0.3).cache_write(3.75);
    /// // 100 × 3 + 600 × 0.3 + 300 × 3.75 + 10 × 15 millionths
    /// assert_eq!(price.cost_nanos(&usage), 1_755_000);
    /// ```
    pub fn cost_nanos(&self, usage: &Usage) -> u64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let written = usage.cache_write_tokens.min(usage.input_tokens - cached);
        let price = match self.long {
            Some(long) if usage.input_tokens > long.above => {
                let LongPrice { input, cached, cache_write, output, .. } = long;
                Self { input, cached, cache_write, output, ..*self }
            }
            _ => *self,
        };
        let own = |own: f64| if own > 0.0 { own } else { price.input };
        let parts = [
            (usage.input_tokens - cached - written, price.input),
            (cached, own(price.cached)),
            (written, own(price.cache_write)),
            (usage.output_tokens, price.output),
        ];
        let rate = |price: f64| u128::from((price * NANOS).round() as u64);
        let costs = parts.map(|(tokens, price)| u128::from(tokens).saturating_mul(rate(price)));
        let sum = costs.into_iter().fold(0, u128::saturating_add);
        u64::try_from(sum / MILLION + u128::from(sum % MILLION >= MILLION / 2)).unwrap_or(u64::MAX)
    }
}

/// A currency, by the three letters of ISO 4217.
///
/// ```
/// use agentscope_core::Currency;
///
/// let yuan: Currency = "CNY".parse()?;
/// assert_eq!((yuan, yuan.as_str()), (Currency::CNY, "CNY"));
/// assert!("yuan".parse::<Currency>().is_err());
/// # Ok::<_, agentscope_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// US dollars.
    pub const USD: Self = Self(*b"USD");
    /// Chinese yuan.
    pub const CNY: Self = Self(*b"CNY");
    /// Euros.
    pub const EUR: Self = Self(*b"EUR");

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Default for Currency {
    fn default() -> Self {
        Self::USD
    }
}

impl FromStr for Currency {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text.as_bytes().try_into() {
            Ok(letters) if text.bytes().all(|letter| letter.is_ascii_uppercase()) => Ok(Self(letters)),
            _ => {
                let message = format!(
                    "`{text}` is no currency: give the three capital letters of ISO 4217, such as USD"
                );
                Err(Error::new(ErrorKind::InvalidInput, message))
            }
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: Error| de::Error::custom(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_the_cache_have_their_own_prices_and_are_counted_once() {
        let mut usage = Usage::new(1_000_000, 500_000);
        usage.cached_tokens = 400_000;
        assert_eq!(Price::new(1.0, 2.0).cached(0.1).cost(&usage), 1.64);
        assert_eq!(
            Price::new(1.0, 2.0).cost(&usage),
            2.0,
            "without a price of their own they cost as others"
        );
        usage.cache_write_tokens = 600_000;
        assert_eq!(Price::new(1.0, 2.0).cached(0.1).cache_write(1.25).cost(&usage), 1.79);
        usage.cached_tokens = u64::MAX;
        assert_eq!(Price::new(1.0, 0.0).cached(0.1).cost(&usage), 0.1, "there are no more than were read");
    }

    #[test]
    fn small_prices_add_up_exactly_and_nonsense_neither_overflows_nor_pays_back() {
        let price = Price::new(0.0028, 0.1);
        let one = price.cost_nanos(&Usage::new(1_000, 10));
        assert_eq!(one, 3_800);
        let all = Usage::new(u64::MAX, u64::MAX);
        assert_eq!(Price::new(f64::MAX, f64::INFINITY).cost_nanos(&all), u64::MAX);
        assert_eq!(Price::new(-1.0, f64::NAN).cost_nanos(&all), 0);
    }
}
