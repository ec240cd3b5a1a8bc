//! Money as integer minor units. Never a float.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Currency, InvalidCurrency};

/// An amount in the currency's minor unit (cents for EUR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units: 1999 is 19.99 EUR.
    #[schema(example = 1999)]
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: Currency,
}

impl Money {
    /// `amount` minor units of `currency`.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// This amount `quantity` times; `None` if it doesn't fit.
    pub fn times(self, quantity: i64) -> Option<Self> {
        let amount = self.amount.checked_mul(quantity)?;
        Some(Self { amount, ..self })
    }

    /// The sum; `None` if the currencies differ or it doesn't fit.
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        let amount = self.amount.checked_add(other.amount)?;
        Some(Self { amount, ..self })
    }
}

/// For people, with the decimals of the currency: `19.99 EUR`, `5000 JPY`, `1.500 KWD`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = self.currency.decimals();
        let unit = 10_u64.pow(decimals);
        let sign = if self.amount < 0 { "-" } else { "" };
        let (whole, minor) = (self.amount.unsigned_abs() / unit, self.amount.unsigned_abs() % unit);
        match decimals as usize {
            0 => write!(f, "{sign}{whole} {}", self.currency),
            width => write!(f, "{sign}{whole}.{minor:0width$} {}", self.currency),
        }
    }
}

/// The text is no amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMoney {
    /// The number is malformed, too large, or has decimals that its currency doesn't have.
    #[error("an amount such as {} is expected", example(*.0))]
    Amount(Currency),
    /// The currency is missing.
    #[error("an amount and its currency are expected, as in \"19.99 EUR\"")]
    CurrencyMissing,
    /// The currency is unknown.
    #[error(transparent)]
    Currency(#[from] InvalidCurrency),
}

/// Ten units: once without decimals, once with all of them.
fn example(currency: Currency) -> String {
    let ten = Money::new(10 * 10_i64.pow(currency.decimals()), currency);
    if currency.decimals() == 0 { format!("\"{ten}\"") } else { format!("\"10 {currency}\" or \"{ten}\"") }
}

impl Money {
    /// The amount that `number` writes in units of `currency`: without decimals, or with all that the currency has.
    ///
    /// `5` and `19.99` in EUR, `500` in JPY, `1.500` in KWD; no sign, no separators of thousands.
    pub fn from_decimal(number: &str, currency: Currency) -> Result<Self, InvalidMoney> {
        let decimals = currency.decimals() as usize;
        let (whole, minor) = match number.split_once('.') {
            Some((whole, minor)) if decimals > 0 && minor.len() == decimals => (whole, minor.to_owned()),
            Some(_) => return Err(InvalidMoney::Amount(currency)),
            None => (number, "0".repeat(decimals)),
        };
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(&minor) {
            return Err(InvalidMoney::Amount(currency));
        }
        let amount = format!("{whole}{minor}").parse().map_err(|_| InvalidMoney::Amount(currency))?;
        Ok(Self { amount, currency })
    }
}

/// Reads `19.99 EUR`.
impl FromStr for Money {
    type Err = InvalidMoney;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, currency) = text.split_once(' ').ok_or(InvalidMoney::CurrencyMissing)?;
        Self::from_decimal(number, currency.parse()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_and_products_are_exact_or_refused(a: i64, b: i64, q: i64) {
            let (a_money, b_money) = (Money::new(a, Currency::EUR), Money::new(b, Currency::EUR));
            prop_assert_eq!(a_money.plus(b_money).map(|m| i128::from(m.amount)),
                Some(i128::from(a) + i128::from(b)).filter(|n| i64::try_from(*n).is_ok()));
            prop_assert_eq!(a_money.times(q).map(|m| i128::from(m.amount)),
                Some(i128::from(a) * i128::from(q)).filter(|n| i64::try_from(*n).is_ok()));
        }

        #[test]
        fn an_amount_survives_its_text(amount in 0..i64::MAX, code in prop::sample::select(vec!["EUR", "JPY", "KWD", "CLF"])) {
            let money = Money::new(amount, code.parse().unwrap());
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }
    }

    #[test]
    fn currencies_do_not_mix() {
        let usd: Currency = "USD".parse().unwrap();
        assert_eq!(Money::new(1, Currency::EUR).plus(Money::new(1, usd)), None);
    }

    #[test]
    fn money_has_the_decimals_of_its_currency() {
        for (amount, currency, text) in [
            (1999, "EUR", "19.99 EUR"),
            (-5, "EUR", "-0.05 EUR"),
            (5000, "JPY", "5000 JPY"),
            (-7, "JPY", "-7 JPY"),
            (1500, "KWD", "1.500 KWD"),
            (-1, "KWD", "-0.001 KWD"),
            (12_345, "CLF", "1.2345 CLF"),
            (i64::MIN, "EUR", "-92233720368547758.08 EUR"),
        ] {
            assert_eq!(Money::new(amount, currency.parse().unwrap()).to_string(), text);
        }
    }

    #[test]
    fn an_amount_is_read_exactly_or_refused() {
        let read = |number: &str, currency: &str| Money::from_decimal(number, currency.parse().unwrap()).ok();
        let amount = |number, currency| read(number, currency).map(|money| money.amount);
        assert_eq!(amount("19.99", "EUR"), Some(1999));
        assert_eq!(amount("5", "EUR"), Some(500));
        assert_eq!(amount("500", "JPY"), Some(500));
        assert_eq!(amount("1.500", "KWD"), Some(1500));
        for (number, currency) in [
            ("", "EUR"),
            (".50", "EUR"),
            ("1.", "EUR"),
            ("1.5", "EUR"),
            ("1,50", "EUR"),
            ("-1.00", "EUR"),
            ("1.005", "EUR"),
            ("1e3", "EUR"),
            ("+1", "EUR"),
            ("99999999999999999999.00", "EUR"),
            ("500.00", "JPY"),
            ("500.", "JPY"),
            ("1.50", "KWD"),
            ("١", "EUR"),
        ] {
            assert_eq!(read(number, currency), None, "{number} {currency}");
        }
    }

    #[test]
    fn an_error_shows_amounts_that_are_accepted() {
        let refused = |text: &str| text.parse::<Money>().unwrap_err().to_string();
        assert_eq!(refused("1.5 EUR"), "an amount such as \"10 EUR\" or \"10.00 EUR\" is expected");
        assert_eq!(refused("1.5 JPY"), "an amount such as \"10 JPY\" is expected");
        assert_eq!("1.5 ABC".parse::<Money>(), Err(InvalidMoney::Currency(InvalidCurrency)));
        assert_eq!("1.50".parse::<Money>(), Err(InvalidMoney::CurrencyMissing));
    }
}
