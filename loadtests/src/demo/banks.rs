//! The demo's own sentence as a picture: the same bank restored with and without a barrier, and the transfer that is in
//! one plane's snapshots and not in the other's.

use ::tests::world::{Restored, Torn};

/// Characters of a whole bank.
const WIDTH: usize = 48;
/// A difference of some ten thousandths would be no wider than a hair; it is drawn this wide.
const DIFFERENCE: usize = 6;

pub(super) fn two_banks(with: &Restored, without: &Restored) -> String {
    let mut out = format!("\n  with a barrier     {}\n  without a barrier  {}\n", bar(with), bar(without));
    if let Some(torn) = without.torn.first() {
        out += &drawn(torn);
    }
    out
}

/// As long as the money that should be there; what is missing is empty, what is too much stands out.
fn bar(bank: &Restored) -> String {
    let difference = bank.total - bank.expected;
    let (whole, rest, word) = match difference {
        0 if bank.sound() => ("█".repeat(WIDTH), String::new(), "every transfer whole".to_owned()),
        0 => ("█".repeat(WIDTH), String::new(), format!("{} transfers torn", bank.torn.len())),
        1.. => ("█".repeat(WIDTH), "▒".repeat(DIFFERENCE), format!("{difference} from nowhere")),
        _ => ("█".repeat(WIDTH - DIFFERENCE), "░".repeat(DIFFERENCE), format!("{} are lost", -difference)),
    };
    format!("{:<room$}  {} of {}, {word}", whole + &rest, bank.total, bank.expected, room = WIDTH + DIFFERENCE)
}

fn drawn(torn: &Torn) -> String {
    let transfer = &torn.transfer;
    let half = |account: u32| {
        let here = [&torn.present, &torn.absent].into_iter().find(|half| half.account == account);
        let sign = if account == transfer.from { '-' } else { '+' };
        let is_in = if torn.present.account == account { "in its snapshot" } else { "NOT in its snapshot" };
        let (plane, at) = here.map_or(("?", 0), |half| (half.plane.as_str(), half.cut_at_ms));
        format!("{sign}{:<5} account {account:<6} {plane:<6} cut at {at:>5} ms: {is_in}", transfer.amount)
    };
    format!(
        "\n  transfer {:<9}┬─ {}\n                    └─ {}\n\n",
        transfer.id,
        half(transfer.from),
        half(transfer.to)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ts::Ts;

    fn bank(total: i64) -> Restored {
        Restored {
            commit_ts: Ts(1),
            stores: 9,
            regions: 25,
            accounts: 240,
            expected: 240_000,
            total,
            sum_ok: total == 240_000,
            torn: Vec::new(),
            faults: Vec::new(),
        }
    }

    #[test]
    fn money_from_nowhere_sticks_out_and_lost_money_leaves_a_gap() {
        let whole = bar(&bank(240_000));
        assert_eq!(whole.matches('█').count(), WIDTH, "{whole}");
        assert!(whole.ends_with("240000 of 240000, every transfer whole"), "{whole}");
        let more = bar(&bank(240_016));
        assert_eq!((more.matches('█').count(), more.matches('▒').count()), (WIDTH, DIFFERENCE), "{more}");
        assert!(more.ends_with("240016 of 240000, 16 from nowhere"), "{more}");
        let less = bar(&bank(239_984));
        assert_eq!((less.matches('█').count(), less.matches('░').count()), (WIDTH - DIFFERENCE, DIFFERENCE), "{less}");
        assert!(less.ends_with("239984 of 240000, 16 are lost"), "{less}");
        let columns = [whole, more, less].map(|line| line.chars().position(|c| c == '2'));
        assert!(columns.windows(2).all(|pair| pair[0] == pair[1]), "one below the other: {columns:?}");
    }
}
