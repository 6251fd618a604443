//! What is kept on the server: the table, and which server wrote it when.

use std::time::Duration;

use activity_status::builtin::{NotATable, Quota, SlotRules, SlotTable};

/// The layout's first byte.
const VERSION: u8 = 1;

pub(crate) struct Stored<'a> {
    pub(crate) server: &'a str,
    /// By that server's clock.
    pub(crate) at: Duration,
    pub(crate) table: SlotTable,
}

pub(crate) enum NotStored {
    Nothing,
    OtherQuota { kept: Quota, is_idle: bool },
    Damaged,
}

impl<'a> Stored<'a> {
    /// `unique` makes the bytes differ from any others.
    pub(crate) fn to_bytes(&self, rules: &SlotRules, unique: u64) -> Vec<u8> {
        let length = self.server.len().min(255);
        let mut bytes = vec![VERSION, length as u8];
        bytes.extend_from_slice(&self.server.as_bytes()[..length]);
        bytes.extend_from_slice(&(self.at.as_micros() as u64).to_le_bytes());
        bytes.extend_from_slice(&unique.to_le_bytes());
        bytes.extend_from_slice(&self.table.to_bytes(rules));
        bytes
    }

    pub(crate) fn from_bytes(bytes: &'a [u8], rules: &SlotRules, now: Duration) -> Result<Self, NotStored> {
        if bytes.is_empty() {
            return Err(NotStored::Nothing);
        }
        let (server, at, table) = split(bytes).ok_or(NotStored::Damaged)?;
        match SlotTable::from_bytes(table, rules) {
            Ok(table) => Ok(Stored { server, at, table }),
            Err(NotATable::OtherQuota(kept)) => {
                let rules = rules.with_quota(kept).map_err(|_| NotStored::Damaged)?;
                let table = SlotTable::from_bytes(table, &rules).map_err(|_| NotStored::Damaged)?;
                Err(NotStored::OtherQuota { kept, is_idle: table.is_idle(&rules, now) })
            }
            Err(_) => Err(NotStored::Damaged),
        }
    }
}

fn split(bytes: &[u8]) -> Option<(&str, Duration, &[u8])> {
    let (&[version, length], rest) = bytes.split_first_chunk()?;
    let (server, rest) = rest.split_at_checked(length.into())?;
    let (at, rest) = rest.split_first_chunk()?;
    let (_unique, table) = rest.split_first_chunk::<8>()?;
    let server = str::from_utf8(server).ok().filter(|_| version == VERSION)?;
    Some((server, Duration::from_micros(u64::from_le_bytes(*at)), table))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_or_from_elsewhere_is_damaged() {
        let rules = SlotRules::new(Quota::default()).unwrap();
        let at = Duration::from_micros(1_700_000_000_123_456);
        let bytes = Stored { server: "a1b2", at, table: SlotTable::new() }.to_bytes(&rules, 7);
        let Ok(read) = Stored::from_bytes(&bytes, &rules, at) else { panic!("its own bytes") };
        assert_eq!((read.server, read.at, read.table), ("a1b2", at, SlotTable::new()));
        assert!(matches!(Stored::from_bytes(b"", &rules, at), Err(NotStored::Nothing)));
        for length in 1..bytes.len() {
            assert!(
                matches!(Stored::from_bytes(&bytes[..length], &rules, at), Err(NotStored::Damaged)),
                "{length}"
            );
        }
        let newer = [&[VERSION + 1], &bytes[1..]].concat();
        assert!(matches!(Stored::from_bytes(&newer, &rules, at), Err(NotStored::Damaged)));
    }
}
