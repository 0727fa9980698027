//! What a backup takes up, what it added, and what that costs.

use crate::{config::Prices, human::human_size};
use serde_json::{Value, json};
use shared::barrier::{Record, Size};

/// Bytes of what AWS calls a gigabyte of a snapshot.
const GIB: f64 = (1_u64 << 30) as f64;

/// For `show`. What a deletion frees is at most what the backup added: the next backup may still need a part of it
/// (`facts/aws.md` A5, Chain).
pub(super) fn sizes(record: &Record, prices: &Prices) -> Value {
    let added = record.added();
    let cost = added.bytes().map(|bytes| cost(bytes, prices));
    json!({
        "full": told(record.full_size()),
        "fullBytes": record.full_size().bytes(),
        "added": told(added),
        "addedBytes": added.bytes(),
        "addedCostPerMonth": cost,
        "freedIfDeleted": human_size(added).filter(|_| added.bytes().is_some()).map(|size| format!("at most {size}")),
    })
}

fn told(size: Size) -> Option<String> {
    match size {
        Size::Pending => Some("not yet known".to_owned()),
        Size::Known(_) | Size::Unknown | Size::Unwanted => human_size(size),
    }
}

pub(super) fn cost(bytes: u64, prices: &Prices) -> String {
    format!("{:.2} {}", bytes as f64 / GIB * prices.snapshot_gib_month, prices.currency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gibibyte_for_a_month() {
        let prices = Prices::default();
        assert_eq!(cost(100 << 30, &prices), "5.00 USD");
        assert_eq!(cost(0, &prices), "0.00 USD");
        let own = Prices { snapshot_gib_month: 0.054, currency: "EUR".to_owned(), ..Prices::default() };
        assert_eq!(cost(1 << 40, &own), "55.30 EUR");
    }

    #[test]
    fn what_is_not_known_has_no_price() {
        assert_eq!(told(Size::Pending).as_deref(), Some("not yet known"));
        assert_eq!(told(Size::Unknown).as_deref(), Some("unknown"));
        assert_eq!(told(Size::Unwanted), None);
        assert_eq!(told(Size::Known(82_854_982)).as_deref(), Some("83 MB"));
    }
}
