//! The file's layout: a header, and two records that are written in turns, so that whoever is killed while it writes
//! one leaves the other. Integers are little-endian, times in nanoseconds.
//!
//! | at | what |
//! |---|---|
//! | 0 | the header: 64 bytes, always the same |
//! | 64 | the records of odd generations |
//! | 256 KiB | the records of even generations |
//!
//! It is 512 KiB long, most of it a hole that takes no room.
//!
//! A record: generation (8 bytes), length of the rest (4), CRC-32 of all but itself (4), course of time (4), when it was
//! written (8), the table.

use std::io;
use std::time::Duration;

use crate::machine::Locked;

/// A state of the quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The lower [`COUNT_BITS`] count the file's records from 1 on. The others are the file's own, so that one that took its
    /// place is told apart.
    pub(crate) generation: u64,
    /// Of which [course](crate::machine::course_of_time) its times are.
    pub(crate) course: u32,
    pub(crate) written_at: Duration,
    /// A [`SlotTable`](activity_status::builtin::SlotTable) as bytes.
    pub(crate) table: Vec<u8>,
}

pub(crate) const COUNT_BITS: u32 = 40;

/// The latest record of a file.
#[derive(Debug)]
pub(crate) struct Latest {
    pub(crate) record: Record,
    /// Is the one before it there too? If not, the lost one may be later: nobody can tell a write that was cut short from
    /// damage.
    pub(crate) is_certain: bool,
}

/// Why there is no latest record.
#[derive(Debug)]
pub(crate) enum Unreadable {
    Io(io::Error),
    NotAQuota,
    OtherLayout,
    Damaged,
}

const MAGIC: &[u8] = b"activity-status quota, layout ";
const LAYOUT: &[u8] = b"1\n";
const HEADER: usize = 64;
const PLACES: [usize; 2] = [HEADER, 256 << 10];
const LENGTH: usize = 2 * PLACES[1];

/// In front of a record: generation, length, CRC.
const FRAME: usize = 16;
const LONGEST: usize = PLACES[1] - HEADER - FRAME;
const STAMPS: usize = 12;

/// Most records are shorter, and so are read at once. The first one is, with the header, in one page: it is there or it is not.
const PAGE: usize = 4096;

/// The latest record; nothing from an empty file.
pub(crate) fn read(file: &Locked) -> Result<Option<Latest>, Unreadable> {
    let start = file.read(0, PAGE).map_err(Unreadable::Io)?;
    if start.is_empty() {
        return Ok(None);
    }
    let header = header();
    if !start.starts_with(&header) {
        return Err(match start.strip_prefix(MAGIC) {
            Some(rest) if rest.starts_with(LAYOUT) || rest.len() < LAYOUT.len() => Unreadable::Damaged,
            Some(_) => Unreadable::OtherLayout,
            // A power cut may leave this.
            None if start.iter().all(|byte| *byte == 0) => Unreadable::Damaged,
            None => Unreadable::NotAQuota,
        });
    }
    let odd = whole(file, PLACES[0], start[HEADER..].to_vec()).map_err(Unreadable::Io)?;
    let even = file.read(PLACES[1], PAGE).and_then(|start| whole(file, PLACES[1], start));
    let even = even.map_err(Unreadable::Io)?;
    let is_blank = even.iter().take(FRAME).all(|byte| *byte == 0);
    let record =
        |bytes: &[u8], parity| Record::from_bytes(bytes).filter(|found| found.generation % 2 == parity);
    let latest = match (record(&odd, 1), record(&even, 0)) {
        (Some(odd), Some(even)) => {
            let is_certain = odd.generation.abs_diff(even.generation) == 1;
            let record = if odd.generation > even.generation { odd } else { even };
            Latest { record, is_certain }
        }
        (Some(odd), None) => Latest { is_certain: is_blank && odd.is_first(), record: odd },
        (None, Some(record)) => Latest { record, is_certain: false },
        (None, None) => return Err(Unreadable::Damaged),
    };
    Ok(Some(latest))
}

/// Writes a record over the one before the last.
pub(crate) fn write(file: &Locked, record: &Record) -> io::Result<()> {
    let bytes = record.to_bytes();
    if bytes.len() > FRAME + LONGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the quota's state is too large"));
    }
    match record.is_first() {
        true => file.write_first(&[header().as_slice(), &bytes].concat(), LENGTH),
        false => file.write(PLACES[usize::from(record.generation.is_multiple_of(2))], &bytes),
    }
}

fn header() -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..MAGIC.len()].copy_from_slice(MAGIC);
    header[MAGIC.len()..][..LAYOUT.len()].copy_from_slice(LAYOUT);
    header
}

/// A record's bytes, of which the first are known.
fn whole(file: &Locked, place: usize, mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let length = FRAME + stated_length(&bytes).unwrap_or(0);
    if length > bytes.len() {
        bytes.extend(file.read(place + bytes.len(), length - bytes.len())?);
    }
    Ok(bytes)
}

fn stated_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(*bytes.get(8..)?.first_chunk()?) as usize;
    (length <= LONGEST).then_some(length)
}

impl Record {
    fn is_first(&self) -> bool {
        self.generation % (1 << COUNT_BITS) == 1
    }

    fn to_bytes(&self) -> Vec<u8> {
        let length = (STAMPS + self.table.len()) as u32;
        let nanos = u64::try_from(self.written_at.as_nanos()).unwrap_or(u64::MAX);
        let mut bytes = Vec::with_capacity(FRAME + STAMPS + self.table.len());
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.course.to_le_bytes());
        bytes.extend_from_slice(&nanos.to_le_bytes());
        bytes.extend_from_slice(&self.table);
        let crc = crc(&bytes);
        bytes[12..FRAME].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The record at the start of these bytes, if it is whole.
    fn from_bytes(bytes: &[u8]) -> Option<Record> {
        let bytes = bytes.get(..FRAME + stated_length(bytes)?)?;
        let (frame, rest) = bytes.split_first_chunk::<FRAME>()?;
        let (course, rest) = rest.split_first_chunk()?;
        let (nanos, table) = rest.split_first_chunk()?;
        let is_whole = crc(bytes).to_le_bytes() == frame[12..];
        is_whole.then_some(Record {
            generation: u64::from_le_bytes(*frame.first_chunk()?),
            course: u32::from_le_bytes(*course),
            written_at: Duration::from_nanos(u64::from_le_bytes(*nanos)),
            table: table.to_vec(),
        })
    }
}

/// Of a record's bytes, but not of those that hold it.
fn crc(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..12]);
    hasher.update(&bytes[FRAME..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(generation: u64, table: &[u8]) -> Record {
        Record { generation, course: 7, written_at: Duration::from_secs(9), table: table.to_vec() }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_short_or_long() {
        for length in [0, 1, 800, PAGE, 3 * PAGE, LONGEST - STAMPS] {
            let written = record(3, &vec![5; length]);
            let bytes = written.to_bytes();
            assert_eq!(Record::from_bytes(&bytes), Some(written), "{length}");
            assert_eq!(
                Record::from_bytes(&[&bytes[..], b"what was here before"].concat()).unwrap().generation,
                3
            );
            assert_eq!(Record::from_bytes(&bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn no_record_has_a_wrong_byte() {
        let bytes = record(3, &[5; 300]).to_bytes();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                assert_eq!(Record::from_bytes(&wrong), None, "{at}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_later_of_two_counts_and_is_certain_with_the_one_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quota");
        let file = crate::machine::lock(&path).unwrap();
        assert!(read(&file).unwrap().is_none());
        let own = 9 << COUNT_BITS;
        // Long and short in turns, so that the rest of a longer one lies behind a shorter one.
        for count in 1..8 {
            let written = record(own + count, &vec![count as u8; 6000 / count as usize]);
            write(&file, &written).unwrap();
            let latest = read(&file).unwrap().unwrap();
            assert_eq!((latest.record, latest.is_certain), (written, true));
        }
        // 7 is lost, then written again two later.
        file.write(PLACES[0] + 20, &[1]).unwrap();
        let latest = read(&file).unwrap().unwrap();
        assert_eq!((latest.record.generation, latest.is_certain), (own + 6, false));
        write(&file, &record(own + 9, &[])).unwrap();
        let latest = read(&file).unwrap().unwrap();
        assert_eq!((latest.record.generation, latest.is_certain), (own + 9, false));
        // A record in the other's place is none.
        file.write(PLACES[1], &record(own + 11, &[]).to_bytes()).unwrap();
        assert!(!read(&file).unwrap().unwrap().is_certain);
        assert!(
            write(&file, &record(own + 10, &vec![0; LONGEST])).is_err(),
            "it would reach into the other one"
        );
    }
}
