//! Currencies of ISO 4217, with their decimals.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Currencies with two decimals: all that the three lists below don't name.
///
/// Some are withdrawn (BGN, HRK, …): orders that name them stay readable.
const TWO_DECIMALS: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN \
    BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ \
    GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP \
    MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK \
    SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG \
    YER ZAR ZMW ZWG ZWL";

const NO_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";

const THREE_DECIMALS: &str = "BHD IQD JOD KWD LYD OMR TND";

const FOUR_DECIMALS: &str = "CLF UYW";

/// A currency of ISO 4217 by its three-letter code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "EUR", pattern = "^[A-Z]{3}$")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Euro: the default of the `currency` setting.
    pub const EUR: Self = Self(*b"EUR");

    /// The code.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("the code was checked to be three ASCII letters")
    }

    /// Digits after the decimal point: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn decimals(self) -> u32 {
        decimals(self.0).expect("the code was checked to be one of ISO 4217")
    }
}

fn decimals(code: [u8; 3]) -> Option<u32> {
    DECIMALS[index(code)?].map(u32::from)
}

/// Decimals of each code at its [index], for a currency is read several times with each order and event.
static DECIMALS: [Option<u8>; 26 * 26 * 26] = {
    let mut decimals = [None; 26 * 26 * 26];
    list(TWO_DECIMALS, 2, &mut decimals);
    list(NO_DECIMALS, 0, &mut decimals);
    list(THREE_DECIMALS, 3, &mut decimals);
    list(FOUR_DECIMALS, 4, &mut decimals);
    decimals
};

const fn list(codes: &str, decimals: u8, table: &mut [Option<u8>]) {
    let mut rest = codes.as_bytes();
    while let [a, b, c, others @ ..] = rest {
        table[index([*a, *b, *c]).expect("the lists have three capital letters for each currency")] = Some(decimals);
        rest = if let [_space, others @ ..] = others { others } else { others };
    }
}

/// The number that three capital letters are as digits of base 26; none for other bytes.
const fn index([a, b, c]: [u8; 3]) -> Option<usize> {
    if a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_uppercase() {
        Some(((a - b'A') as usize * 26 + (b - b'A') as usize) * 26 + (c - b'A') as usize)
    } else {
        None
    }
}

/// The text is no currency code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a currency of ISO 4217 is expected, as its three capital letters: EUR, USD, JPY, …")]
pub struct InvalidCurrency;

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| InvalidCurrency)?;
        decimals(code).map(|_| Self(code)).ok_or(InvalidCurrency)
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_one_of_iso_4217() {
        for bad in ["", "eur", "EURO", "E1R", "€", "ABC", "XXX", "EUR USD", "AED AFN", "   "] {
            assert_eq!(bad.parse::<Currency>(), Err(InvalidCurrency), "{bad}");
        }
    }

    #[test]
    fn a_currency_has_its_own_decimals() {
        for (code, decimals) in [("EUR", 2), ("ZWL", 2), ("AED", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("CLF", 4)] {
            assert_eq!(code.parse::<Currency>().unwrap().decimals(), decimals, "{code}");
        }
    }

    #[test]
    fn each_code_stands_in_one_list() {
        let lists = [TWO_DECIMALS, NO_DECIMALS, THREE_DECIMALS, FOUR_DECIMALS];
        let mut codes: Vec<&str> = lists.into_iter().flat_map(|list| list.split(' ')).collect();
        assert!(codes.iter().all(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())));
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert_eq!(DECIMALS.iter().flatten().count(), count);
    }
}
