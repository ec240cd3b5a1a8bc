//! The bounds of a product's fields.

use kernel::{Currency, Money, text};
use service::Failure;
use service::http::Fields;
use utoipa::ToSchema;

const SKU_MAX: usize = 64;
const NAME_MAX: usize = 200;
const DESCRIPTION_MAX: usize = 5_000;
const CATEGORY_MAX: usize = 100;

/// Minor units: far above any price, and a million of them still fit an `i64`.
const PRICE_MAX: i64 = 1_000_000_000_000;

/// Units in stock, and units at which stock counts as low.
const UNITS_MAX: i64 = 1_000_000_000;

/// The price of a product, as requests describe it: [`Money`] within [`PRICE_MAX`].
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is read as Money")]
pub(crate) struct Price {
    /// Minor units: 1999 is 19.99 EUR.
    #[schema(example = 1999, minimum = 1, maximum = 1_000_000_000_000_i64)]
    amount: i64,
    /// The shop's currency.
    currency: Currency,
}

pub(crate) fn check_sku(fields: &mut Fields, sku: &str) {
    fields.check((1..=SKU_MAX).contains(&sku.len()), "sku", "length", format!("1 to {SKU_MAX} characters"));
    let plain = sku.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    fields.check(plain, "sku", "characters", "letters A to Z and a to z, digits, `.`, `_` and `-`");
}

pub(crate) fn check_name(fields: &mut Fields, name: &str) {
    check_line(fields, name, "name", NAME_MAX);
}

pub(crate) fn check_description(fields: &mut Fields, description: &str) {
    fields.text(description, "description", 0, DESCRIPTION_MAX);
}

pub(crate) fn check_category(fields: &mut Fields, category: &str) {
    check_line(fields, category, "category", CATEGORY_MAX);
}

/// The category as it is stored, so that an exact filter finds it in either normal form.
pub(crate) fn category(text: &str) -> String {
    text::nfc(text.trim()).into_owned()
}

pub(crate) fn check_price(fields: &mut Fields, price: Money, currency: Currency) {
    let fits = (1..=PRICE_MAX).contains(&price.amount);
    fields.check(fits, "price.amount", "range", format!("1 to {PRICE_MAX} minor units"));
    let expected = format!("{currency}, the shop's one currency");
    fields.check(price.currency == currency, "price.currency", "currency", expected);
}

pub(crate) fn check_stock(fields: &mut Fields, stock: i64) {
    check_units(fields, stock, "stock");
}

pub(crate) fn check_threshold(fields: &mut Fields, threshold: i64) {
    check_units(fields, threshold, "low_stock_threshold");
}

fn check_line(fields: &mut Fields, text: &str, field: &str, length_max: usize) {
    fields.line(text, field, 1, length_max);
}

fn check_units(fields: &mut Fields, units: i64, field: &str) {
    fields.check((0..=UNITS_MAX).contains(&units), field, "range", format!("0 to {UNITS_MAX} units"));
}

pub(crate) fn check_foreign_sku(sku: &str) -> Result<(), Failure> {
    let rule = || format!("sku: wanted 1 to {SKU_MAX} letters A to Z and a to z, digits, `.`, `_` and `-`");
    park_unless(|fields| check_sku(fields, sku), rule)
}

pub(crate) fn check_foreign_name(name: &str) -> Result<(), Failure> {
    let rule = || format!("name: wanted 1 to {NAME_MAX} characters on a single line");
    park_unless(|fields| check_name(fields, name), rule)
}

pub(crate) fn check_foreign_price(price: Money, currency: Currency) -> Result<(), Failure> {
    let rule = || format!("price: wanted 1 to {PRICE_MAX} minor units of {currency}, the shop's one currency");
    park_unless(|fields| check_price(fields, price, currency), rule)
}

pub(crate) fn check_foreign_stock(stock: i64) -> Result<(), Failure> {
    park_unless(|fields| check_stock(fields, stock), || format!("stock: wanted at most {UNITS_MAX} units"))
}

/// Parks what breaks a rule and was sent by no request that could be answered: the reason is the rule.
fn park_unless(check: impl FnOnce(&mut Fields), rule: impl FnOnce() -> String) -> Result<(), Failure> {
    let mut fields = Fields::new();
    check(&mut fields);
    fields.finish().map_err(|_| Failure::park(rule()))
}
